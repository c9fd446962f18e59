import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { basename, join } from 'node:path';
import type { Readable } from 'node:stream';
import { AirdockError, systemCode } from '../../../errors.ts';
import { readIfExists, replaceFile } from '../../../io/files.ts';
import { type BackupMetadata, backupMetadata } from './backup-metadata.ts';
import { type BackupKeys, openBackupFile, readBackupText } from './sealed.ts';

/** A backup's folder and its `metadata.json`. */
export type StoredBackup = { folder: string; metadata: BackupMetadata };

/** A backup whose files were all read, have their recorded hashes, and can be decrypted. Only such a backup is restored. */
export type CheckedBackup = StoredBackup & {
  readonly checked: true;
  /** The content of a file, decrypted. */
  readonly open: (recorded: { file: string }) => Promise<Readable>;
  readonly text: (recorded: { file: string }) => Promise<string>;
};

/** @throws AirdockError BACKUP_DAMAGED when metadata.json is missing, unreadable or of another backup */
export async function readBackup(folder: string): Promise<StoredBackup> {
  const path = join(folder, 'metadata.json');
  const bytes = await readIfExists(path);
  if (!bytes) throw damaged(folder, 'metadata.json is missing');
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
    const actual = await hashOf(join(backup.folder, file), signal).catch((error: unknown) => {
      throw systemCode(error) === 'ENOENT' ? damaged(backup.folder, `${file} is missing`, error) : error;
    });
    if (actual.bytes !== bytes) throw damaged(backup.folder, `${file} has ${actual.bytes} bytes instead of ${bytes}`);
    if (actual.sha256 !== sha256) throw damaged(backup.folder, `${file} was changed after the backup was made`);
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

/** Checks that a given identity can decrypt the backup. @throws AirdockError IDENTITY_NEEDED */
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

/** The result of a check or a restore. */
export type Verdict = { provenAt: string } | { damagedAt: string } | { unproven: true };

/** Records the verdict in `metadata.json`, in place of the one before. */
export async function recordVerdict({ folder, metadata }: StoredBackup, verdict: Verdict): Promise<BackupMetadata> {
  const { provenAt: _proven, damagedAt: _damaged, ...rest } = metadata;
  const verdictFields = 'unproven' in verdict ? {} : verdict;
  const next: BackupMetadata = { ...rest, proven: 'provenAt' in verdict, ...verdictFields };
  await replaceFile(join(folder, 'metadata.json'), `${JSON.stringify(backupMetadata.parse(next), undefined, 2)}\n`);
  return next;
}

function damaged(folder: string, why: string, cause?: unknown): AirdockError {
  return new AirdockError('BACKUP_DAMAGED', `the backup ${basename(folder)} is damaged: ${why}`, {
    hint: 'The backup is kept, but never used. Replace it by a copy if you have one; otherwise use another backup. Check the disk.',
    cause,
    details: { backup: basename(folder) },
  });
}
