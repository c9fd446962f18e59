import { existsSync } from 'node:fs';
import path from 'node:path';
import { assertRecipient } from '../../data/postgres/backup/sealed.ts';
import { readBackup } from '../../data/postgres/backup/stored-backup.ts';
import { AirdockError } from '../../errors.ts';
import { removeTree } from '../../io/files.ts';
import { bytesText } from '../../units.ts';
import type { BackupCreated, BackupList, BackupPruned, BackupRecipients, BackupVerified } from './backup-documents.ts';
import { backupsFolder, backupsToDrop, liveBackups, readBackups, type BackupEntry } from '../backups/list.ts';
import { assertDiskToProve } from '../plan/preflight/disk.ts';
import { assertFree } from '../plan/preflight/disk.ts';
import { assertNoFinding } from '../../policy/finding.ts';
import { besideDatabase } from '../backups/volumes-and-redis.ts';
import type { Host } from '../site/host.ts';
import { makeBackup } from '../backups/make.ts';
import { backupSession } from '../backups/make.ts';
import { databaseAccess } from '../database/access.ts';
import { databaseTarget } from '../database/target.ts';
import { lookAtDatabase } from '../plan/looks/database.ts';
import { checkDatabase } from '../plan/preflight/database.ts';
import { checkedBackup, proveIn } from '../../data/postgres/backup/prove.ts';
import { recover } from '../transaction/recover.ts';
import { notADeployment } from '../site/site.ts';
import { withScratch } from '../scratch/server.ts';
import { changeSite, lookAtSite, taggedSite, readEnvOrEmpty, type ManagedSite } from '../site/site.ts';
import { asStep } from '../../events.ts';

/** `airdock backup create | list | verify | recipients | prune`. All but `list` take the lock, and first recover an interrupted transaction. */
type Where = { directory: string; identities?: readonly string[] | undefined };

/** @throws the findings of the database check, as `install` does; DISK_FULL, BACKUP_FAILED */
export async function createBackup(host: Host, where: Where): Promise<BackupCreated> {
  return changing(host, where, async (site) => {
    const { current = null, schemaRelease = null } = site.state.deployment() ?? {};
    const release = current === null ? undefined : site.state.release(current);
    if (!release) throw noDatabase('nothing is installed here');
    const env = await readEnvOrEmpty(site.directory);
    const containers = await site.docker.containers({ project: site.project });
    const standing = await lookAtDatabase(site, release.manifest, env, containers, false);
    assertNoFinding(checkDatabase({ database: standing, release }));
    const { database } = standing;
    const access = databaseAccess(release.manifest, env);
    if (!access || !database) throw noDatabase(`${release.manifest.product} ${release.version} has no database`);
    await assertFree(site.directory, { what: 'backup', bytes: database.bytes });
    const { id, seconds } = await asStep(host.listener, 'backup', async (onProgress) => {
      const { signal } = host;
      const marked = taggedSite(site, 'backup');
      const beside = besideDatabase(marked, release.manifest, env, signal);
      const options = { applicationName: backupSession, release: current, schemaRelease, signal, onProgress, beside };
      const backup = await makeBackup(marked, await databaseTarget(marked, access), options);
      return { ...backup, summary: `${backup.id}: ${bytesText(backup.bytes)}, read back in full` };
    });
    return { schema: 'airdock.backup-create/1', backup: await entryOf(site, id), seconds };
  });
}

/** Lists the backups. Takes no lock. */
export async function listBackups(host: Host, where: Where): Promise<BackupList> {
  return lookAtSite(host, where, async (site, records) => {
    if (!records) throw notADeployment(site.directory);
    return { schema: 'airdock.backup-list/1', backups: await readBackups(site) };
  });
}

/** Proves a backup, by default the newest. @throws AirdockError BACKUP_DAMAGED, BACKUP_UNPROVEN, SCRATCH_FAILED, DISK_FULL */
export async function verifyBackup(host: Host, where: Where & { id?: string | undefined }): Promise<BackupVerified> {
  return changing(host, where, async (site) => {
    const id = where.id ?? (await readBackups(site)).at(-1)?.id;
    if (id === undefined) throw unknownBackup('there is no backup here', 'Make a backup: airdock backup create');
    await entryOf(site, id); // throws when there is no such backup
    const stored = await readBackup(path.join(backupsFolder(site), id));
    const { signal } = host;
    const { metadata } = stored;
    await assertDiskToProve(site, metadata);
    const { backup } = await asStep(host.listener, 'check', async () => {
      const checked = await checkedBackup(site, stored, signal);
      return { backup: checked, summary: `${id}: every file has its recorded hash` };
    });
    const started = performance.now();
    const { tables, rows } = await asStep(host.listener, 'verify', (onProgress) =>
      withScratch(site, { service: metadata.service, signal }, async (scratch) => {
        const { restoredFingerprint: fingerprint } = await proveIn(site, scratch, backup, { signal, onProgress });
        const counted = Object.values(fingerprint.tables);
        const sum = { tables: counted.length, rows: counted.reduce((all, table) => all + table.rows, 0) };
        return {
          ...sum,
          summary: `${id}: restored on a throwaway server, and equal to the original: ${sum.tables} tables, ${sum.rows} rows`,
        };
      }),
    );
    const seconds = Math.round((performance.now() - started) / 100) / 10;
    return { schema: 'airdock.backup-verify/1', backup: await entryOf(site, id), tables, rows, seconds };
  });
}

/** Sets the recipients of later backups; existing backups do not change. Without `recipients` it only returns the current ones. */
export async function backupRecipients(
  host: Host,
  { recipients, ...where }: Where & { recipients?: readonly string[] },
): Promise<BackupRecipients> {
  const documentOf = (list: readonly string[]) => ({ schema: 'airdock.backup-recipients/1' as const, recipients: [...list] });
  if (!recipients)
    return lookAtSite(host, where, async (site, records) => {
      if (!records) throw notADeployment(site.directory);
      return documentOf(records.state.backupRecipients());
    });
  for (const recipient of recipients) await assertRecipient(recipient);
  return changing(host, where, async ({ state }) => {
    state.commit(() => state.setBackupRecipients([...new Set(recipients)], host.clock().toISOString()));
    return documentOf(state.backupRecipients());
  });
}

/** Removes older backups of the live database, but never the last proven one. */
export async function pruneBackups(host: Host, where: Where & { keep: number }): Promise<BackupPruned> {
  return changing(host, where, async (site) => {
    const removed = backupsToDrop(await liveBackups(site), where.keep);
    for (const id of removed) await removeTree(path.join(backupsFolder(site), id));
    return { schema: 'airdock.backup-prune/1', removed, kept: await readBackups(site) };
  });
}

async function changing<T>(host: Host, where: Where, work: (site: ManagedSite) => Promise<T>): Promise<T> {
  if (!existsSync(path.join(where.directory, '.airdock/state.db'))) throw notADeployment(where.directory);
  return changeSite(host, where, async (site) => {
    await recover(site);
    return work(site);
  });
}

async function entryOf(site: ManagedSite, id: string): Promise<BackupEntry> {
  const entries = await readBackups(site);
  const backup = entries.find((entry) => entry.id === id);
  if (backup) return backup;
  throw unknownBackup(`there is no backup ${id} here`, `Backups here: ${entries.map((entry) => entry.id).join(', ') || 'none'}.`);
}

function unknownBackup(message: string, hint: string): AirdockError {
  return new AirdockError('FILE_NOT_FOUND', message, { hint });
}

function noDatabase(message: string): AirdockError {
  return new AirdockError('PREFLIGHT_FAILED', `${message}: there is nothing to back up`, {
    hint: 'Give the directory of a deployment with a database: --dir.',
  });
}
