import path from 'node:path';
import { type Backup, backupDatabase, type BackupOptions } from '../../data/postgres/backup/backup.ts';
import { ensureDirectory } from '../../io/files.ts';
import { backupsFolder, nextBackupId } from './list.ts';
import type { DatabaseTarget } from '../../data/postgres/server/server.ts';
import type { ManagedSite } from '../site/site.ts';

type Options = {
  applicationName: string;
  /** The release that wrote the data. */
  release: string | null;
  /** The highest release whose migrations the database may have. */
  schemaRelease: string | null;
  signal?: AbortSignal | undefined;
  onProgress?: (bytes: number) => void;
  beside?: BackupOptions['beside'];
};

/** Backs up a database under the next free id. @throws what `backupDatabase` throws */
export async function makeBackup(site: ManagedSite, target: DatabaseTarget, options: Options): Promise<Backup & { id: string }> {
  const { applicationName, release, schemaRelease, signal, onProgress, beside } = options;
  const folder = backupsFolder(site);
  await ensureDirectory(folder);
  const id = await nextBackupId(folder, site.host.clock());
  const backup = await backupDatabase({
    tools: target.tools,
    service: target.service,
    user: target.user,
    database: target.database,
    directory: path.join(folder, id),
    applicationName,
    keys: site.keys,
    beside,
    release: release ?? undefined,
    schemaRelease: schemaRelease ?? undefined,
    signal,
    onProgress,
  });
  return { ...backup, id };
}
/** application_name of the database sessions of a backup outside a transaction. */
export const backupSession = 'airdock-backup';
