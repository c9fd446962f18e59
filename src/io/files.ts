import { chmod, lstat, mkdir, open, readdir, readFile, realpath, rename, rm, stat, statfs } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { AirdockError, systemCode } from '../errors.ts';

/** Writes that survive a power cut, and what preflight asks of a file system. */

/**
 * Replaces a file's content atomically: temporary file beside it, fsync, rename, fsync of the directory. Behind a symlink
 * the target is replaced and the link stays. An existing file keeps owner and mode unless `mode` is given; a new one gets 0600.
 * @throws AirdockError DISK_FULL
 */
export async function replaceFile(path: string, bytes: Uint8Array | string, options: { mode?: number } = {}): Promise<void> {
  const target = await behindLink(path);
  const old = await ifExists(stat(target));
  const mode = options.mode ?? (old ? old.mode & 0o7777 : 0o600);
  // One name a target: what a killed run left is replaced by the next, not collected. Writers hold airdock's lock.
  const temporary = join(dirname(target), `.${basename(target)}${temporarySuffix}`);
  try {
    await rm(temporary, { force: true });
    const handle = await open(temporary, 'wx', 0o600);
    try {
      await handle.writeFile(bytes);
      if (old) await handle.chown(old.uid, old.gid);
      await handle.chmod(mode);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true });
    throw diskError(error, target, bytes.length);
  }
  await syncDirectory(dirname(target));
}

const temporarySuffix = '.airdock-new';

/** What a killed `replaceFile` left in that directory. The caller holds airdock's lock. */
export async function removeTemporaries(directory: string): Promise<void> {
  const names = (await ifExists(readdir(directory))) ?? [];
  for (const name of names)
    if (name.startsWith('.') && name.endsWith(temporarySuffix)) await rm(join(directory, name), { force: true });
}

async function behindLink(path: string): Promise<string> {
  const found = await ifExists(lstat(path));
  if (!found?.isSymbolicLink()) return path;
  try {
    return await realpath(path);
  } catch (error) {
    throw new AirdockError('DIRECTORY_UNSAFE', `${path} is a symbolic link to a file that is not there`, {
      hint: 'Make the link point to a file, or remove it.',
      cause: error,
    });
  }
}

/**
 * Creates it (and parents) with that mode, 0700 unless told, and makes it durable; an existing one stays as it is.
 * @returns the topmost directory that was made
 */
export async function ensureDirectory(path: string, mode = 0o700): Promise<string | undefined> {
  try {
    const first = await mkdir(path, { recursive: true, mode });
    if (first === undefined) return undefined;
    await chmod(path, mode); // the umask may have taken bits
    for (let made = resolve(path); made.length >= resolve(first).length; made = dirname(made)) await syncDirectory(dirname(made));
    return resolve(first);
  } catch (error) {
    throw diskError(error, path);
  }
}

/** Bytes that an unprivileged process could still write on the file system of that path (of its nearest existing parent). */
export async function freeBytes(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(await existing(path));
  return bavail * bsize;
}

/** Equal for two paths on the same file system. */
export async function fileSystemId(path: string): Promise<string> {
  return String((await stat(await existing(path))).dev);
}

async function existing(path: string): Promise<string> {
  let at = resolve(path);
  while (at !== dirname(at) && !(await ifExists(stat(at)))) at = dirname(at);
  return at;
}

/** A new one, durable: what is there already may be the only key, or the only report. @throws AirdockError USAGE, DISK_FULL */
export async function createFile(path: string, bytes: Uint8Array | string, mode: number): Promise<void> {
  const handle = await open(path, 'wx', mode).catch((cause: unknown) => {
    if (systemCode(cause) !== 'EEXIST') throw new AirdockError('USAGE', `${path} cannot be written`, { cause });
    throw new AirdockError('USAGE', `${path} is there already, and is never overwritten`, {
      hint: 'Name the new one otherwise.',
    });
  });
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } catch (error) {
    await rm(path, { force: true });
    throw diskError(error, path, bytes.length);
  } finally {
    await handle.close();
  }
}

/** Removes a file or a tree; absent is fine. */
export async function removeTree(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true });
}

/**
 * Whoever can write to the deployment's directory, or swap it for another by writing to one above it, decides what root runs.
 * @throws AirdockError DIRECTORY_UNSAFE when others than root and its owner can write to it or (sticky ones such as /tmp aside) to a parent
 */
export async function assertDirectorySafe(path: string): Promise<void> {
  const directory = await realpath(path);
  const { uid } = await stat(directory);
  for (let at = directory; ; at = dirname(at)) {
    const { mode, uid: owner } = await stat(at);
    const writable = (mode & 0o022) !== 0 && (at === directory || (mode & 0o1000) === 0);
    if (writable) {
      throw unsafe(`others than its owner can write to ${at}`, `chmod go-w ${at}`);
    }
    if (owner !== 0 && owner !== uid) {
      throw unsafe(`${at} belongs to another user than ${directory} does`, `chown it to root, or choose another directory`);
    }
    if (at === dirname(at)) return;
  }
}

function unsafe(message: string, fix: string): AirdockError {
  return new AirdockError('DIRECTORY_UNSAFE', message, {
    hint: `They could change what airdock runs. Put it right (${fix}), or give another --dir.`,
  });
}

/** undefined when there is no such file. */
export function readIfExists(path: string): Promise<Buffer | undefined> {
  return ifExists(readFile(path));
}

export async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** ENOSPC and EDQUOT as DISK_FULL; any other error as it is. `needed`: bytes that were to be written. */
export function diskError(error: unknown, path: string, needed?: number): unknown {
  if (!['ENOSPC', 'EDQUOT'].includes(systemCode(error) ?? '')) return error;
  const size = needed === undefined ? '' : ` (${needed} bytes were to be written)`;
  return new AirdockError('DISK_FULL', `no space left for ${path}${size}`, {
    hint: 'Make room on that file system and run the same command again.',
    cause: error,
  });
}

async function ifExists<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) return undefined;
    throw error;
  }
}
/** Whoever plants a link here would choose where root writes, and who can write here what it runs. @throws DIRECTORY_UNSAFE */
export async function ownDirectory(path: string): Promise<void> {
  const found = await lstat(path).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (!found) return void (await ensureDirectory(path));
  if (found.isDirectory() && (found.mode & 0o022) !== 0)
    throw new AirdockError('DIRECTORY_UNSAFE', `others than its owner can write to ${path}`, {
      hint: `They could change what airdock runs. Look what is in it, then: chmod 700 ${path}`,
    });
  if (found.isDirectory()) return;
  throw new AirdockError('DIRECTORY_UNSAFE', `${path} is not a directory of airdock's own but a link or a file`, {
    hint: 'Move it away and run the same command again: airdock makes the directory itself.',
  });
}
