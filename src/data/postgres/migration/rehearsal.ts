import { durationText } from '../../../units.ts';
import { migrationFailed } from './migration-failed.ts';
import { literal, psql, type DatabaseTarget } from '../server/server.ts';
import { shapeChanges, shapeOf } from './shape.ts';

/** What a rehearsal is wherever its throwaway server runs (docs/adr/0007, "The rehearsal"). */

/** A backup by one who may not read passwords has none, and the server may keep them in another form. */
export async function letIn(server: DatabaseTarget, user: string, password: string): Promise<void> {
  const input = Buffer.from(`ALTER ROLE :"user" PASSWORD ${literal(password)};`);
  await psql(server, 'RESTORE_FAILED', { input }, { user });
}

/**
 * @param version whose migration `migrate` runs on the copy
 * @param log where what it printed is kept
 * @returns how long it took and what it changed, a line each
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
      more: log && `What it printed is in ${log}.`,
      details: { rehearsal: true, log },
    });
  const changes = shapeChanges(before, await shapeOf(copy));
  return [
    `the migration took ${took}`,
    ...(changes.length === 0 ? ['no table, column or number of rows changed'] : changes),
  ].join('\n');
}
