import { AirdockError } from '../../errors.ts';
import type { BackupRestored } from './backup-documents.ts';
import { readBackups } from '../backups/list.ts';
import type { Host } from '../site/host.ts';
import type { Plan } from '../plan/document.ts';
import { rollback } from './rollback.ts';
import { lookAtSite } from '../site/site.ts';

/**
 * `airdock backup restore` puts the database of a backup in place; the release stays. The backup is restored beside the live database
 * and compared, then the two are swapped. The database that was live is kept.
 * @throws AirdockError ROLLBACK_REFUSED when the release does not run on the schema of the backup; what a rollback throws
 */
export async function restoreBackup(
  host: Host,
  { id, ...where }: { directory: string; id: string; identities?: readonly string[] },
  consent: (plan: Plan) => Promise<boolean>,
): Promise<BackupRestored> {
  const { version: current, finished } = await rollback(host, { ...where, backup: id, restoreDatabase: true }, consent);
  return lookAtSite(host, where, async (site, records) => {
    const backup = (await readBackups(site)).find((entry) => entry.id === id);
    if (!backup || !finished) throw new AirdockError('INTERNAL', `the backup ${id} disappeared while it was restored`);
    const { transaction, seconds } = finished;
    const kept = records?.state.keptDatabases().find((one) => one.transaction === transaction);
    return { schema: 'airdock.backup-restore/1', backup, current, keptAs: kept?.name ?? null, transaction, seconds };
  });
}
