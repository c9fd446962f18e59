import { durationText } from '../../../units.ts';
import { migrationFailed } from './migration-failed.ts';
import { literal, psql, type DatabaseTarget } from '../server/server.ts';
import { shapeChanges, shapeOf } from './shape.ts';

/** The part of a rehearsal that is the same on a VM and on Kubernetes (docs/adr/0007, "The rehearsal"). */

/** Gives a role of the throwaway server its password: a backup may have none, or have it in a form that the server does not accept. */
export async function setPassword(server: DatabaseTarget, user: string, password: string): Promise<void> {
  const input = Buffer.from(`ALTER ROLE :"user" PASSWORD ${literal(password)};`);
  await psql(server, 'RESTORE_FAILED', { input }, { user });
}

/**
 * Migrates a copy, and compares its tables before and after.
 * @param version the release whose migration `migrate` runs on the copy
 * @param log the file that has the migration's output
 * @returns how long the migration took and what it changed, a line each
 * @throws MIGRATION_FAILED
 */
export async function migrateCopy(
  copy: DatabaseTarget,
  version: string,
  migrate: () => Promise<{ exitCode: number; output: string }>,
  log?: string,
): Promise<string> {
  const before = await shapeOf(copy);
  const started = performance.now();
  const { exitCode, output } = await migrate();
  const took = durationText(performance.now() - started);
  if (exitCode !== 0)
    throw migrationFailed({
      version,
      output,
      exitCode,
      on: 'rehearsal',
      more: log && `Its output is in ${log}.`,
      details: { rehearsal: true, log },
    });
  const changes = shapeChanges(before, await shapeOf(copy));
  return [
    `the migration took ${took}`,
    ...(changes.length === 0 ? ['no table, column or number of rows changed'] : changes),
  ].join('\n');
}
