import { AirdockError } from '../../../errors.ts';
import { durationText } from '../../../units.ts';
import { lastMigration, lastWords } from './migration-output.ts';
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
  if (exitCode !== 0) throw failed(version, output, exitCode, log);
  const changes = shapeChanges(before, await shapeOf(copy));
  return [
    `the migration took ${took}`,
    ...(changes.length === 0 ? ['no table, column or number of rows changed'] : changes),
  ].join('\n');
}

function failed(version: string, output: string, exitCode: number, log: string | undefined): AirdockError {
  const migration = lastMigration(output);
  const what = migration === undefined ? `the migration of ${version}` : `migration ${migration} of ${version}`;
  const kept = log === undefined ? '' : ` What it printed is in ${log}.`;
  return new AirdockError('MIGRATION_FAILED', `${what} failed on a copy of your data (exit ${exitCode}): ${lastWords(output)}`, {
    hint: `Nothing was changed. Put right the rows that it names, and run the same command again; or ask the vendor for a fixed release.${kept}`,
    details: { rehearsal: true, migration: migration ?? null, ...(log === undefined ? {} : { log }) },
  });
}
