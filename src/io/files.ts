import { chmod, lstat, mkdir, open, readdir, readFile, realpath, rename, rm, stat, statfs } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { AirdockError, systemCode } from '../errors.ts';

/** Writes that survive a power cut, and file system facts for preflight checks. */

/**
 * Replaces a file's content atomically: temporary file beside it, fsync, rename, fsync of the directory. Behind a symlink
 * the target is replaced and the link stays. An existing file keeps owner and mode unless `mode` is given; a new one gets 0600.
 * @throws AirdockError DISK_FULL
 */
export async function replaceFile(path: string, bytes: Uint8Array | string, options: { mode?: number } = {}): Promise<void> {
  const target = await behindLink(path);
  const old = await ifExists(stat(target));
  const mode = options.mode ?? (old ? old.mode & 0o7777 : 0o600);
  // A fixed name for each target: the next run replaces the file of a killed run. Writers hold the lock of airdock.
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

/** Removes temporary files of a killed `replaceFile` in a directory. The caller holds the lock of airdock. */
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
    throw new AirdockError('DIRECTORY_UNSAFE', `${path} is a symbolic link to a file that does not exist`, {
      hint: 'Make the link point to a file, or remove it.',
      cause: error,
    });
  }
}

/**
 * Creates a directory and its parents, mode 0700 by default, durably. An existing directory is left unchanged.
 * @returns the topmost directory that was created; undefined for none
 */
export async function ensureDirectory(path: string, mode = 0o700): Promise<string | undefined> {
  try {
    const first = await mkdir(path, { recursive: true, mode });
    if (first === undefined) return undefined;
    await chmod(path, mode); // the umask may have removed bits
    for (let made = resolve(path); made.length >= resolve(first).length; made = dirname(made)) await syncDirectory(dirname(made));
    return resolve(first);
  } catch (error) {
    throw diskError(error, path);
  }
}

/** Bytes that an unprivileged process can still write to the file system of a path, or of its nearest existing parent. */
export async function freeBytes(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(await existing(path));
  return bavail * bsize;
}

/** An id of the file system of a path, equal for two paths on the same one. */
export async function fileSystemId(path: string): Promise<string> {
  return String((await stat(await existing(path))).dev);
}

async function existing(path: string): Promise<string> {
  let at = resolve(path);
  while (at !== dirname(at) && !(await ifExists(stat(at)))) at = dirname(at);
  return at;
}

/** Creates a file durably; never overwrites, because the existing file may be the only key or report. @throws AirdockError USAGE, DISK_FULL */
export async function createFile(path: string, bytes: Uint8Array | string, mode: number): Promise<void> {
  const handle = await open(path, 'wx', mode).catch((cause: unknown) => {
    if (systemCode(cause) !== 'EEXIST') throw new AirdockError('USAGE', `${path} cannot be written`, { cause });
    throw new AirdockError('USAGE', `${path} exists already and is never overwritten`, {
      hint: 'Choose another name.',
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

/** Removes a file or a tree; a missing one is no error. */
export async function removeTree(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true });
}

/**
 * Checks who can change what root runs: whoever can write to the directory of the deployment or replace it in its parent.
 * @throws AirdockError DIRECTORY_UNSAFE when others than root and its owner can write to it or (sticky ones such as /tmp aside) to a parent
 */
export async function assertDirectorySafe(path: string): Promise<void> {
  const directory = await realpath(path);
  const { uid } = await stat(directory);
  for (let at = directory; ; at = dirname(at)) {
    const { mode, uid: owner } = await stat(at);
    const writable = (mode & 0o022) !== 0 && (at === directory || (mode & 0o1000) === 0);
    if (writable) {
      throw unsafe(`users other than the owner can write to ${at}`, `chmod go-w ${at}`);
    }
    if (owner !== 0 && owner !== uid) {
      throw unsafe(`${at} belongs to another user than ${directory}`, `chown it to root, or choose another directory`);
    }
    if (at === dirname(at)) return;
  }
}

function unsafe(message: string, fix: string): AirdockError {
  return new AirdockError('DIRECTORY_UNSAFE', message, {
    hint: `They could change what airdock runs. Correct it (${fix}), or give another --dir.`,
  });
}

/** The content of a file; undefined when it does not exist. */
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

/** DISK_FULL for ENOSPC and EDQUOT; any other error unchanged. `needed`: bytes to be written. */
export function diskError(error: unknown, path: string, needed?: number): unknown {
  if (!['ENOSPC', 'EDQUOT'].includes(systemCode(error) ?? '')) return error;
  const size = needed === undefined ? '' : ` (${needed} bytes were to be written)`;
  return new AirdockError('DISK_FULL', `no space left for ${path}${size}`, {
    hint: 'Free some space on that file system and run the same command again.',
    cause: error,
  });
}

async function ifExists<T>(result: Promise<T>): Promise<T | undefined> {
  try {
    return await result;
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) return undefined;
    throw error;
  }
}

/**
 * Creates a directory of airdock, or checks that it is one and only its owner can write to it: a planted link would choose
 * where root writes. @throws DIRECTORY_UNSAFE
 */
export async function ownDirectory(path: string): Promise<void> {
  const found = await lstat(path).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (!found) return void (await ensureDirectory(path));
  if (found.isDirectory() && (found.mode & 0o022) !== 0)
    throw new AirdockError('DIRECTORY_UNSAFE', `users other than the owner can write to ${path}`, {
      hint: `They could change what airdock runs. Check what is in it, then run: chmod 700 ${path}`,
    });
  if (found.isDirectory()) return;
  throw new AirdockError('DIRECTORY_UNSAFE', `${path} is a link or a file, not a directory of airdock`, {
    hint: 'Move it away and run the same command again: airdock creates the directory.',
  });
}
