import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { rename } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Writable } from 'node:stream';
import { AirdockError, errorText, isAirdockError } from '../../../errors.ts';
import type { ExecOptions } from '../../../io/compose.ts';
import { diskError, ensureDirectory, removeTree, replaceFile, syncDirectory } from '../../../io/files.ts';
import { type BackupMetadata, backupMetadata } from './backup-metadata.ts';
import { BackupWriter, type Written } from './backup-writer.ts';
import { dumpedSequences } from './dumped-sequences.ts';
import { fingerprint, takeFingerprint } from '../compare/fingerprint.ts';
import { databaseSize, type DatabaseTarget, endSessions, tryTool, serverVersion, runTool } from '../server/server.ts';
import { readLocale } from '../server/locale.ts';
import { type BackupKeys, noKeys } from './sealed.ts';
import { databaseSettings } from '../server/settings.ts';
import { withSnapshot } from '../server/snapshot.ts';

export { backupMetadata, type BackupMetadata } from './backup-metadata.ts';
export { databaseSize, endSessions, type DatabaseTarget } from '../server/server.ts';

export type BackupOptions = DatabaseTarget & {
  /** `backups/<id>`: must not exist. It appears whole, or not at all. */
  directory: string;
  /** application_name of the sessions, by which recovery ends them after airdock was killed. */
  applicationName: string;
  release?: string | undefined;
  schemaRelease?: string | undefined;
  /** Writes what else belongs to the backup, after the dump. */
  beside?: ((files: BackupWriter) => Promise<Pick<BackupMetadata, 'redis' | 'volumes'>>) | undefined;
  /** Without keys the backup is not encrypted. */
  keys?: BackupKeys;
  signal?: AbortSignal | undefined;
  /** Bytes of the dump so far. */
  onProgress?: ((bytes: number) => void) | undefined;
};

export type Backup = {
  dumpPath: string;
  bytes: number;
  /** Hex. */
  sha256: string;
  /** Duration of dump and read-back. */
  seconds: number;
  metadata: BackupMetadata;
};

/** Ends the name of a backup's directory until the backup is complete; recovery removes such directories. */
export const unfinishedSuffix = '.unfinished';

/**
 * Makes a backup, and reads the dump back. `pg_restore --list` accepts dumps that were cut short or have flipped bits, so a backup
 * needs all of: exit code 0 of pg_dump, a full read of the same bytes by pg_restore, their hash, and fsync (docs/FACTS.md "When a
 * dump is a backup"). The fingerprint of the same snapshot is saved with it, to prove the backup by a restore (ADR 7).
 * @throws AirdockError BACKUP_FAILED, DISK_FULL, INTERRUPTED; the incomplete backup is removed then
 */
export async function backupDatabase(options: BackupOptions): Promise<Backup> {
  const { directory } = options;
  const unfinished = directory + unfinishedSuffix;
  await removeTree(unfinished);
  await ensureDirectory(unfinished);
  try {
    const metadata = await fill(unfinished, options);
    await syncDirectory(unfinished);
    await rename(unfinished, directory);
    await syncDirectory(dirname(directory));
    const { bytes, sha256 } = metadata.dump;
    return { dumpPath: join(directory, metadata.dump.file), bytes, sha256, seconds: metadata.seconds, metadata };
  } catch (error) {
    await removeTree(unfinished);
    // The process in the container keeps running (docs/FACTS.md "A killed exec"), and would keep its locks.
    if (isAirdockError(error, 'INTERRUPTED')) await endSessions(options, options.applicationName).catch(() => 0);
    throw asBackupFailure(error, unfinished);
  }
}

async function fill(directory: string, options: BackupOptions): Promise<BackupMetadata> {
  const started = performance.now();
  const { keys = noKeys, release, schemaRelease } = options;
  const files = new BackupWriter(directory, keys);
  const { dump, taken } = await withSnapshot(options, options, async (snapshot, signal) => {
    const under = { ...options, snapshot, signal };
    return { dump: await writeDump(files, under), taken: await takeFingerprint(options, under) };
  });
  await readBack(directory, files, dump, options);
  taken.sequences = await dumpedSequences(options, () => files.open(dump), taken.sequences, common(options));
  const { sql, passwords } = await roles(options);
  const metadata: BackupMetadata = {
    schema: 'airdock.backup/1',
    id: basename(options.directory),
    createdAt: `${new Date().toISOString().slice(0, 19)}Z`,
    database: options.database,
    user: options.user,
    service: options.service,
    serverVersion: await serverVersion(options),
    databaseBytes: await databaseSize(options),
    locale: await readLocale(options),
    release,
    schemaRelease,
    encryptedTo: keys.recipients.length === 0 ? undefined : [...keys.recipients],
    dump,
    fingerprint: await files.text('fingerprint.json', `${JSON.stringify(fingerprint.parse(taken), undefined, 1)}\n`),
    roles: { ...(await files.text('roles.sql', sql)), passwords },
    settings: await files.text('settings.sql', await databaseSettings(options)),
    ...(await options.beside?.(files)),
    readBack: true,
    proven: false,
    seconds: Math.round((performance.now() - started) / 100) / 10,
  };
  await replaceFile(join(directory, 'metadata.json'), `${JSON.stringify(backupMetadata.parse(metadata), undefined, 2)}\n`);
  return metadata;
}

function writeDump(files: BackupWriter, options: BackupOptions & { snapshot: string }): Promise<Written> {
  const database = ['--no-password', '-U', options.user, '-d', options.database];
  const command = ['pg_dump', '-Fc', `--snapshot=${options.snapshot}`, ...database];
  const dump = (stdout: Writable) => runTool(options, 'BACKUP_FAILED', command, { ...common(options), stdout });
  return files.stream('dump', dump, options.onProgress);
}

/** pg_restore reads every block and row of the dump; the hash shows that the file has the bytes that were written. */
async function readBack(directory: string, files: BackupWriter, dump: Written, options: BackupOptions): Promise<void> {
  const input = await files.open(dump);
  await runTool(options, 'BACKUP_FAILED', ['pg_restore', '-f', '/dev/null'], { ...common(options), input });
  const path = join(directory, dump.file);
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 16 })) hash.update(chunk as Buffer);
  if (hash.digest('hex') !== dump.sha256) throw new AirdockError('BACKUP_FAILED', `${path} does not hold what pg_dump wrote`);
}

/** Roles with their passwords, or without if the user may not read them (pg_authid). Without tablespaces, which are paths of one server. */
async function roles(options: BackupOptions): Promise<{ sql: string; passwords: boolean }> {
  const command = ['pg_dumpall', '--roles-only', '--no-password', '-U', options.user, '-l', options.database];
  const full = await tryTool(options, command, common(options));
  if (full.exitCode === 0) return { sql: full.stdout, passwords: true };
  const { stdout } = await runTool(options, 'BACKUP_FAILED', [...command, '--no-role-passwords'], common(options));
  return { sql: stdout, passwords: false };
}

function common({ applicationName, signal }: BackupOptions): ExecOptions {
  return { env: { PGAPPNAME: applicationName }, signal };
}

function asBackupFailure(error: unknown, path: string): unknown {
  const known = diskError(error, path);
  if (known instanceof AirdockError) return known;
  const why = errorText(error);
  return new AirdockError('BACKUP_FAILED', `the backup could not be written: ${why}`, { cause: error });
}
