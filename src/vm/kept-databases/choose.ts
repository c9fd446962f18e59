import type { BackupEntry } from '../backups/list.ts';
import { runsOn, type KnownMigration } from '../../policy/migrations.ts';
import type { Plan } from '../plan/document.ts';
import type { State } from '../state/state.ts';

/** Which database goes with which code (docs/adr/0008-irreversible.md, "Rollback across it"). */

/** The youngest backup that the code of that version runs on, proven ones first; null when there is none. */
export function backupFor(
  migrations: readonly KnownMigration[],
  oldestFirst: readonly BackupEntry[],
  version: string,
): NonNullable<Plan['restore']> | null {
  const fitting = oldestFirst.filter(
    ({ state, schemaRelease }) => state !== 'damaged' && schemaRelease !== null && runsOn(migrations, version, schemaRelease),
  );
  const chosen = fitting.findLast(({ state }) => state === 'proven') ?? fitting.at(-1);
  return chosen ? restoreOf(chosen) : null;
}

/** A backup as what a plan puts in place. */
export function restoreOf({
  id,
  release,
  schemaRelease,
  createdAt,
  state,
  encrypted,
}: BackupEntry): NonNullable<Plan['restore']> {
  return {
    kept: null,
    backup: id,
    release: release ?? 'unknown',
    schemaRelease: schemaRelease ?? 'unknown',
    at: createdAt ?? '',
    proven: state === 'proven',
    encrypted,
  };
}

/** The youngest kept database that the code of that version runs on; null when there is none. */
export function keptFor(state: State, version: string): NonNullable<Plan['restore']> | null {
  const migrations = state.migrations();
  const kept = state.keptDatabases().findLast(({ schemaRelease }) => runsOn(migrations, version, schemaRelease));
  if (!kept) return null;
  const { name, release, schemaRelease, keptAt } = kept;
  return { kept: name, backup: null, release, schemaRelease, at: keptAt, proven: true, encrypted: false };
}
