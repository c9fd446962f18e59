import path from 'node:path';
import { type Backup, backupDatabase } from '../database/backup.ts';
import { ensureDirectory } from '../io/files.ts';
import { nextBackupId } from './backup-id.ts';
import { backupsFolder } from './backups.ts';
import type { DatabaseAccess } from './preflight/database.ts';
import type { ManagedSite } from './site.ts';

type Options = {
  applicationName: string;
  /** The release that wrote the data. */
  release: string | null;
  signal?: AbortSignal | undefined;
  onProgress?: (bytes: number) => void;
};

/** The live database under the next free id. @throws what `backupDatabase` does */
export async function makeBackup(site: ManagedSite, access: DatabaseAccess, options: Options): Promise<Backup & { id: string }> {
  const { applicationName, release, signal, onProgress } = options;
  const folder = backupsFolder(site);
  await ensureDirectory(folder);
  const id = await nextBackupId(folder, site.host.clock());
  const made = await backupDatabase({
    compose: await site.compose(),
    service: access.service,
    user: access.user,
    database: access.name,
    directory: path.join(folder, id),
    applicationName,
    ...(release === null ? {} : { release }),
    ...(signal ? { signal } : {}),
    ...(onProgress ? { onProgress } : {}),
  });
  return { ...made, id };
}
