import semver from 'semver';
import { classOfPath } from './class-of-path.ts';
import type { Plan } from './plan-document.ts';
import type { KnownMigration, State } from './state.ts';

/** Which database goes with which code (docs/adr/0008-irreversible.md, "Rollback across it"). */

/** May the code of that version run on a schema that has the migrations up to `schemaRelease`? */
export function runsOn(migrations: readonly KnownMigration[], version: string, schemaRelease: string): boolean {
  return semver.gte(schemaRelease, version)
    ? classOfPath(migrations, version, schemaRelease) !== 'irreversible'
    : classOfPath(migrations, schemaRelease, version) === 'none';
}

/** The youngest kept database that the code of that version runs on; null when there is none. */
export function keptFor(state: State, version: string): NonNullable<Plan['restore']> | null {
  const migrations = state.migrations();
  const kept = state.keptDatabases().findLast(({ schemaRelease }) => runsOn(migrations, version, schemaRelease));
  if (!kept) return null;
  const { name, release, schemaRelease, keptAt } = kept;
  return { kept: name, backup: null, release, schemaRelease, at: keptAt, proven: true };
}
