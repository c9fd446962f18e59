import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { restoredBytes } from '../../data/postgres/backup/backup-metadata.ts';
import { hashedFiles, readBackup } from '../../data/postgres/backup/stored-backup.ts';
import { isAirdockError } from '../../errors.ts';
import { databaseAccess } from '../database/access.ts';
import { readEnvOrEmpty, type ManagedSite } from '../site/site.ts';

/** The backups of a deployment, read from `.airdock/backups`. */

export const backupEntry = z.strictObject({
  id: z.string(),
  /** Null when its `metadata.json` cannot be read. */
  createdAt: z.string().nullable(),
  /** The release that wrote the data. */
  release: z.string().nullable(),
  /** The highest release whose migrations the schema may have. */
  schemaRelease: z.string().nullable(),
  database: z.string().nullable(),
  /** Size of all files. */
  bytes: z.int(),
  /** Size of the restored database; an estimate for backups of an older airdock. Null when `metadata.json` cannot be read. */
  restoredBytes: z.int().nullable(),
  /** `proven`: restored on another server, and equal to the original. `damaged`: its files were changed. */
  state: z.enum(['proven', 'unproven', 'damaged']),
  provenAt: z.string().nullable(),
  /** Encrypted to age recipients (`airdock backup recipients`). */
  encrypted: z.boolean(),
});
export type BackupEntry = z.infer<typeof backupEntry>;

export function backupsFolder({ airdock }: { airdock: string }): string {
  return path.join(airdock, 'backups');
}

/** All backups, oldest first. Only sizes are compared with the recorded ones; contents are not read. */
export async function readBackups(site: { airdock: string }): Promise<BackupEntry[]> {
  const folder = backupsFolder(site);
  const entries: BackupEntry[] = [];
  for (const id of await backupIds(folder)) entries.push(await entryOf(path.join(folder, id), id));
  return entries;
}

/** Backups of the live database, without the dumps of kept databases, whose content may exist nowhere else (docs/adr/0008-irreversible.md). */
export async function liveBackups(site: ManagedSite): Promise<BackupEntry[]> {
  const current = site.state.deployment()?.current;
  const release = current ? site.state.release(current) : undefined;
  const live = release && databaseAccess(release.manifest, await readEnvOrEmpty(site.directory))?.name;
  return (await readBackups(site)).filter(({ database }) => database === null || database === live);
}

/** `20261122-2`: the day in UTC and a number within it. */
export async function nextBackupId(folder: string, now: Date): Promise<string> {
  const day = now.toISOString().slice(0, 10).replaceAll('-', '');
  const taken = (await readdir(folder))
    .filter((name) => name.startsWith(`${day}-`))
    .map((name) => Number.parseInt(name.slice(9), 10));
  return `${day}-${Math.max(0, ...taken.filter(Number.isFinite)) + 1}`;
}

async function backupIds(folder: string): Promise<string[]> {
  const names = (await readdir(folder).catch(() => [])).filter((name) => /^\d{8}-\d+$/.test(name));
  const number = (id: string) => Number(id.slice(9));
  return names.toSorted((a, b) => a.slice(0, 8).localeCompare(b.slice(0, 8)) || number(a) - number(b));
}

async function entryOf(folder: string, id: string): Promise<BackupEntry> {
  try {
    const { metadata } = await readBackup(folder);
    const files = hashedFiles(metadata);
    const sizes = await Promise.all(
      files.map(({ file }) =>
        stat(path.join(folder, file)).then(
          ({ size }) => size,
          () => -1,
        ),
      ),
    );
    const complete = metadata.damagedAt === undefined && files.every(({ bytes }, index) => sizes[index] === bytes);
    return {
      id,
      createdAt: metadata.createdAt,
      release: metadata.release ?? null,
      schemaRelease: metadata.schemaRelease ?? metadata.release ?? null,
      database: metadata.database,
      bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
      restoredBytes: restoredBytes(metadata),
      state: !complete ? 'damaged' : metadata.proven ? 'proven' : 'unproven',
      provenAt: metadata.provenAt ?? null,
      encrypted: metadata.encryptedTo !== undefined,
    };
  } catch (error) {
    if (!isAirdockError(error, 'BACKUP_DAMAGED')) throw error;
    return {
      id,
      createdAt: null,
      release: null,
      schemaRelease: null,
      database: null,
      bytes: 0,
      restoredBytes: null,
      state: 'damaged',
      provenAt: null,
      encrypted: false,
    };
  }
}

/**
 * The backups to remove so that the newest `keep` stay. Damaged backups do not count, and are removed with those of the same age.
 * The last proven backup always stays, because no other is known to be restorable.
 */
export function backupsToDrop(oldestFirst: readonly BackupEntry[], keep: number): string[] {
  const good = oldestFirst.filter(({ state }) => state !== 'damaged');
  const [first] = good.slice(-keep);
  const proven = good.findLast(({ state }) => state === 'proven');
  const older = first === undefined ? [] : oldestFirst.slice(0, oldestFirst.indexOf(first));
  return older.filter((entry) => entry !== proven).map(({ id }) => id);
}
