import type { createHash } from 'node:crypto';
import { readdir, rename, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { systemCode } from '../errors.ts';
import { lentChunks } from './blob-file.ts';

/** Partial blobs, which interrupted downloads leave. */

/** Renames a partial blob to `mine`: a free one, or one of a process that has ended. @returns false when there is none */
export async function takeOver(part: string, mine: string): Promise<boolean> {
  const directory = dirname(part);
  const prefix = basename(part);
  const candidates = (await readdir(directory)).filter((name) => name === prefix || name.startsWith(`${prefix}.`));
  for (const name of candidates) {
    const pid = Number(name.slice(prefix.length + 1).split('.')[0]);
    if (name !== prefix && isAlive(pid)) continue;
    try {
      await rename(join(directory, name), mine);
      return true;
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error;
    }
  }
  return false;
}

/** Hashes the content of a partial blob and returns its size. A file longer than `limit` is useless, and is emptied. */
export async function rehash(handle: FileHandle, hash: ReturnType<typeof createHash>, limit: number): Promise<number> {
  const { size } = await handle.stat();
  const usable = size > limit ? 0 : size;
  await handle.truncate(usable);
  if (usable === 0) return 0;
  for await (const chunk of lentChunks(handle, usable)) hash.update(chunk);
  return usable;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) === 'EPERM';
  }
}
