import type { BundleManifest } from '../../bundle/manifest.ts';
import type { BackupEntry } from '../backups/list.ts';
import { fittingBackup, youngestFitting, wayBackTakes } from '../../policy/way-back.ts';
import type { Plan } from '../plan/document.ts';
import type { State } from '../state/state.ts';

/** Chooses the database that a rollback puts in place together with the code (docs/adr/0008-irreversible.md, "Rollback across it"). */

type Restore = NonNullable<Plan['restore']>;

/**
 * Chooses a kept database, or else a backup.
 * @param backups oldest first; called only when no kept database fits
 * @returns null when the live database can stay, or when there is no database that fits
 */
export async function restoreFor(
  state: Pick<State, 'deployment' | 'migrations' | 'keptDatabases'>,
  target: Pick<BundleManifest, 'version' | 'database'>,
  backups: () => Promise<readonly BackupEntry[]>,
): Promise<Restore | null> {
  const deployment = state.deployment();
  const migrations = state.migrations();
  const schema = deployment?.schemaRelease ?? deployment?.current;
  if (!schema || wayBackTakes(migrations, target, schema) !== 'database') return null;
  const kept = youngestFitting(migrations, state.keptDatabases(), target.version);
  if (kept) {
    const { name, release, schemaRelease, keptAt } = kept;
    return { kept: name, backup: null, release, schemaRelease, at: keptAt, proven: true, encrypted: false };
  }
  const usable = (await backups()).filter(({ state: condition }) => condition !== 'damaged');
  const proven = usable.map((entry) => ({ ...entry, proven: entry.state === 'proven' }));
  const backup = fittingBackup(migrations, proven, target.version);
  return backup ? restoreOf(backup) : null;
}

/** A backup, in the form that a plan has for the database to put in place. */
export function restoreOf({ id, release, schemaRelease, createdAt, state, encrypted, restoredBytes }: BackupEntry): Restore {
  return {
    kept: null,
    backup: id,
    release: release ?? 'unknown',
    schemaRelease: schemaRelease ?? 'unknown',
    at: createdAt ?? '',
    proven: state === 'proven',
    encrypted,
    bytes: restoredBytes ?? undefined,
  };
}
