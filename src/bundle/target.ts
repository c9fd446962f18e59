import { createHash, randomBytes } from 'node:crypto';
import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { finish, type Digest } from '../digest.ts';
import { AirdockError, systemCode } from '../errors.ts';

/**
 * A file that appears complete or not at all: it is written under a temporary name, synced and renamed. `commit` returns
 * its size and digest.
 */
export class Target {
  readonly #path: string;
  readonly #temporary: string;
  readonly #handle: FileHandle;
  readonly #hash = createHash('sha256');
  size = 0;

  private constructor(path: string, temporary: string, handle: FileHandle) {
    this.#path = path;
    this.#temporary = temporary;
    this.#handle = handle;
  }

  static async create(path: string): Promise<Target> {
    const temporary = `${path}.${randomBytes(6).toString('hex')}.partial`;
    return new Target(path, temporary, await open(temporary, 'wx', 0o644).catch((cause: unknown) => rethrow(cause, path)));
  }

  async write(chunk: Buffer): Promise<void> {
    // The disk and the hash work at the same time.
    const writing = this.#writeAll(chunk);
    this.#hash.update(chunk);
    await writing;
    this.size += chunk.length;
  }

  async #writeAll(chunk: Buffer): Promise<void> {
    for (let written = 0; written < chunk.length;) {
      const { bytesWritten } = await this.#handle
        .write(chunk, written, chunk.length - written)
        .catch((cause: unknown) => rethrow(cause, this.#path));
      written += bytesWritten;
    }
  }

  async commit(): Promise<{ size: number; digest: Digest }> {
    await this.#handle.sync().catch((cause: unknown) => rethrow(cause, this.#path));
    await this.#handle.close();
    await rename(this.#temporary, this.#path).catch((cause: unknown) => rethrow(cause, this.#path));
    const folder = await open(dirname(this.#path), 'r');
    await folder.sync().finally(() => folder.close());
    return { size: this.size, digest: finish(this.#hash) };
  }

  async discard(): Promise<void> {
    await this.#handle.close().catch(() => {});
    await rm(this.#temporary, { force: true });
  }
}

function rethrow(cause: unknown, path: string): never {
  const code = systemCode(cause);
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    throw new AirdockError('DISK_FULL', `there is no space left for ${path}`, {
      hint: 'Free some space, or write the bundle elsewhere; no partial file was left.',
      cause,
    });
  }
  if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EACCES' || code === 'EROFS' || code === 'EISDIR') {
    throw new AirdockError('USAGE', `${path} cannot be written (${code})`, {
      hint: 'Name a file in a directory that you can write to.',
      cause,
    });
  }
  throw cause;
}
