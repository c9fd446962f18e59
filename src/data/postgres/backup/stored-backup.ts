import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { basename, join } from 'node:path';
import type { Readable } from 'node:stream';
import { AirdockError, systemCode } from '../../../errors.ts';
import { readIfExists, replaceFile } from '../../../io/files.ts';
import { type BackupMetadata, backupMetadata } from './backup-metadata.ts';
import { type BackupKeys, openBackupFile, readBackupText } from './sealed.ts';

/** A backup's folder, as its `metadata.json` tells it. */
export type StoredBackup = { folder: string; metadata: BackupMetadata };

/** One whose files were all read, are what was hashed when it was made, and can be decrypted: only such a one is restored. */
export type CheckedBackup = StoredBackup & {
  readonly checked: true;
  /** Of that file, decrypted. */
  readonly open: (recorded: { file: string }) => Promise<Readable>;
  readonly text: (recorded: { file: string }) => Promise<string>;
};

/** @throws AirdockError BACKUP_DAMAGED when it does not say what it is */
export async function readBackup(folder: string): Promise<StoredBackup> {
  const path = join(folder, 'metadata.json');
  const bytes = await readIfExists(path);
  if (!bytes) throw damaged(folder, 'metadata.json is not there');
  try {
    const metadata = backupMetadata.parse(JSON.parse(bytes.toString()));
    if (metadata.id === basename(folder)) return { folder, metadata };
  } catch (error) {
    throw damaged(folder, 'metadata.json cannot be read', error);
  }
  throw damaged(folder, 'metadata.json is that of another backup');
}

/** Reads every file in full. @throws AirdockError BACKUP_DAMAGED, naming the file; IDENTITY_NEEDED */
export async function checkBackup(backup: StoredBackup, keys: BackupKeys, signal?: AbortSignal): Promise<CheckedBackup> {
  for (const { file, bytes, sha256 } of hashedFiles(backup.metadata)) {
    const found = await hashOf(join(backup.folder, file), signal).catch((error: unknown) => {
      throw systemCode(error) === 'ENOENT' ? damaged(backup.folder, `${file} is not there`, error) : error;
    });
    if (found.bytes !== bytes) throw damaged(backup.folder, `${file} has ${found.bytes} bytes instead of ${bytes}`);
    if (found.sha256 !== sha256) throw damaged(backup.folder, `${file} does not hold what was written when the backup was made`);
  }
  await assertReadable(backup, keys);
  const path = ({ file }: { file: string }) => join(backup.folder, file);
  return {
    ...backup,
    checked: true,
    open: (recorded) => openBackupFile(path(recorded), keys),
    text: (recorded) => readBackupText(path(recorded), keys),
  };
}

/** Some identity here can read it. @throws AirdockError IDENTITY_NEEDED */
export async function assertReadable({ folder, metadata }: StoredBackup, keys: BackupKeys): Promise<void> {
  await readBackupText(join(folder, metadata.settings.file), keys);
}

/** Every file that the metadata names. */
export function hashedFiles({
  dump,
  fingerprint,
  roles,
  settings,
  redis,
  volumes = [],
}: BackupMetadata): { file: string; bytes: number; sha256: string }[] {
  return [...(fingerprint ? [fingerprint] : []), roles, settings, ...(redis ? [redis] : []), ...volumes, dump];
}

async function hashOf(path: string, signal?: AbortSignal): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 16, signal }) as AsyncIterable<Buffer>) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  return { bytes, sha256: hash.digest('hex') };
}

/** What a restore has shown of it. */
export type Verdict = { provenAt: string } | { damagedAt: string } | { unproven: true };

/** Puts the verdict into `metadata.json`, in place of the one before. */
export async function recordVerdict({ folder, metadata }: StoredBackup, verdict: Verdict): Promise<BackupMetadata> {
  const { provenAt: _proven, damagedAt: _damaged, ...rest } = metadata;
  const told = 'unproven' in verdict ? {} : verdict;
  const next: BackupMetadata = { ...rest, proven: 'provenAt' in verdict, ...told };
  await replaceFile(join(folder, 'metadata.json'), `${JSON.stringify(backupMetadata.parse(next), undefined, 2)}\n`);
  return next;
}

function damaged(folder: string, why: string, cause?: unknown): AirdockError {
  return new AirdockError('BACKUP_DAMAGED', `the backup ${basename(folder)} is damaged: ${why}`, {
    hint: 'It is kept, and counts for nothing. If there is a copy of it elsewhere, put that in its place; else use another backup, and look at the disk.',
    cause,
    details: { backup: basename(folder) },
  });
}
