import path from 'node:path';
import { backupDatabase } from '../../database/backup.ts';
import { ensureDirectory } from '../../io/files.ts';
import { nextBackupId } from '../backup-id.ts';
import { parseEnvFile } from '../env-file.ts';
import { databaseAccess } from '../preflight/database.ts';
import { bytesText } from '../../units.ts';
import { readEnv } from '../site.ts';
import { sessionName, type Progress, type Transaction } from '../transaction.ts';

/** The live database, dumped and read back in full, before anything changes. */
export async function backup(transaction: Transaction, progress: Progress): Promise<string> {
  const { site, record, target, signal } = transaction;
  const env = (await readEnv(site.directory)) ?? parseEnvFile('');
  const access = databaseAccess(target.manifest, env);
  if (!access) return 'no database here';
  const folder = path.join(site.airdock, 'backups');
  await ensureDirectory(folder);
  const id = await nextBackupId(folder, site.host.clock());
  const made = await backupDatabase({
    compose: await site.compose(),
    service: access.service,
    user: access.user,
    database: access.name,
    directory: path.join(folder, id),
    applicationName: sessionName(record.id),
    ...(record.from === null ? {} : { release: record.from }),
    ...(signal ? { signal } : {}),
    onProgress: progress,
  });
  site.journal.setBackup(record.id, id);
  return `${id}: ${bytesText(made.bytes)}, read back in full, unproven until it is restored`;
}
