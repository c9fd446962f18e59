import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { finish, hexOf, isDigest, type Digest } from '../digest.ts';
import { AirdockError, isAirdockError, systemCode } from '../errors.ts';
import type { BlobStore, StoredBlob } from '../images/collect.ts';
import { diskError } from '../io/files.ts';

export type CacheStatistics = { blobs: number; fromCache: number; fetchedBytes: number };

const chunkSize = 1 << 20;

type Wanted = { digest: Digest; size: number };
type Options = { what?: string; signal?: AbortSignal };

/**
 * Blobs by digest, shared by all builds of a user. A finished blob is never fetched twice; a partial one is kept and
 * continued. Nothing is trusted for lying here: `writeBundle` hashes everything again, and `dropDamaged` then cleans up.
 *
 * `HEX` is a finished blob, `HEX.part` a partial one nobody works on, `HEX.part.PID.RANDOM` one that a process works on.
 */
export class BlobCache implements BlobStore {
  readonly directory: string;
  /** Nameless files that are too large for memory. */
  readonly scratch: string;
  readonly #derived: string;
  readonly #onBytes: (bytes: number) => void;
  readonly #running = new Map<string, Promise<StoredBlob>>();
  readonly statistics: CacheStatistics = { blobs: 0, fromCache: 0, fetchedBytes: 0 };

  /** @param root `~/.cache/airdock`; made when needed */
  constructor(root: string, onBytes: (bytes: number) => void = () => {}) {
    this.directory = join(root, 'blobs');
    this.scratch = join(root, 'scratch');
    this.#derived = join(root, 'derived');
    this.#onBytes = onBytes;
  }

  fetch(wanted: Wanted, source: (offset: number) => AsyncIterable<Buffer>, options: Options = {}): Promise<StoredBlob> {
    return this.#once(wanted.digest, async () => {
      this.statistics.blobs += 1;
      if (await this.#has(wanted)) {
        this.statistics.fromCache += 1;
        this.#onBytes(wanted.size);
      } else {
        await this.#download(wanted, source, options);
      }
      return this.#stored(wanted);
    });
  }

  derive(key: string, make: () => AsyncIterable<Buffer>, options: Options = {}): Promise<StoredBlob> {
    return this.#once(key, async () => {
      this.statistics.blobs += 1;
      const note = join(this.#derived, key);
      const known = await readNote(note);
      if (known && (await this.#has(known))) {
        this.statistics.fromCache += 1;
        return this.#stored(known);
      }
      await this.#prepare();
      const temporary = join(this.directory, `derived.part.${process.pid}.${randomBytes(6).toString('hex')}`);
      try {
        const handle = await open(temporary, 'wx', 0o600);
        const hash = createHash('sha256');
        const size = await this.#append(handle, make(), hash, 0, options.signal).finally(() => handle.close());
        const made = { digest: finish(hash), size };
        await rename(temporary, this.#path(made.digest));
        await writeFile(`${note}.${process.pid}`, `${made.digest} ${made.size}\n`);
        await rename(`${note}.${process.pid}`, note);
        return this.#stored(made);
      } catch (error) {
        await rm(temporary, { force: true });
        throw diskError(error, this.directory);
      }
    });
  }

  /** Reads blobs back and removes those that are not what their name says. */
  async dropDamaged(digests: Iterable<Digest>): Promise<Digest[]> {
    const damaged: Digest[] = [];
    for (const digest of new Set(digests)) {
      const hash = createHash('sha256');
      try {
        for await (const chunk of lend(this.#path(digest))) hash.update(chunk);
      } catch (error) {
        if (systemCode(error) === 'ENOENT') continue;
        throw error;
      }
      if (finish(hash) === digest) continue;
      await rm(this.#path(digest), { force: true });
      damaged.push(digest);
    }
    return damaged;
  }

  async #download(wanted: Wanted, source: (offset: number) => AsyncIterable<Buffer>, options: Options): Promise<void> {
    await this.#prepare();
    const part = `${this.#path(wanted.digest)}.part`;
    const mine = `${part}.${process.pid}.${randomBytes(6).toString('hex')}`;
    const adopted = await this.#adopt(part, mine);
    try {
      for (const mayResume of adopted ? [true, false] : [false]) {
        const handle = await open(mine, mayResume ? 'r+' : 'w+', 0o600);
        try {
          const hash = createHash('sha256');
          const offset = mayResume ? await rehash(handle, hash, wanted.size) : 0;
          this.#onBytes(offset);
          const size = await this.#append(handle, source(offset), hash, offset, options.signal);
          if (size === wanted.size && finish(hash) === wanted.digest) break;
          this.#onBytes(-size);
          // What an earlier run left may be the culprit: once more from the beginning.
          if (mayResume) continue;
          await handle.truncate(0);
          throw new AirdockError('SOURCE_CORRUPT', `${options.what ?? wanted.digest}: the bytes that came have another digest`, {
            hint: 'The source, or something on the way, changes what it gives. Try again; if it stays, push the image anew.',
          });
        } finally {
          await handle.close();
        }
      }
      await rename(mine, this.#path(wanted.digest));
    } catch (error) {
      if (isAirdockError(error, 'SOURCE_CORRUPT')) await rm(mine, { force: true });
      else await rename(mine, part).catch(() => {});
      throw diskError(error, this.directory);
    }
  }

  /** Writes at `offset` and on; gives the size reached. */
  async #append(
    handle: FileHandle,
    chunks: AsyncIterable<Buffer>,
    hash: ReturnType<typeof createHash>,
    offset: number,
    signal?: AbortSignal,
  ): Promise<number> {
    let position = offset;
    for await (const chunk of chunks) {
      signal?.throwIfAborted();
      // The disk and the hash work at the same time; both are done with the chunk before the next is asked for.
      const writing = writeAll(handle, chunk, position);
      hash.update(chunk);
      await writing;
      position += chunk.length;
      this.statistics.fetchedBytes += chunk.length;
      this.#onBytes(chunk.length);
    }
    return position;
  }

  /** Takes over a partial blob: a free one, or one of a process that is gone. */
  async #adopt(part: string, mine: string): Promise<boolean> {
    const prefix = part.slice(this.directory.length + 1);
    const candidates = (await readdir(this.directory)).filter((name) => name === prefix || name.startsWith(`${prefix}.`));
    for (const name of candidates) {
      const pid = Number(name.slice(prefix.length + 1).split('.')[0]);
      if (name !== prefix && isAlive(pid)) continue;
      try {
        await rename(join(this.directory, name), mine);
        return true;
      } catch (error) {
        if (systemCode(error) !== 'ENOENT') throw error;
      }
    }
    return false;
  }

  async #prepare(): Promise<void> {
    try {
      await mkdir(this.directory, { recursive: true, mode: 0o700 });
      await mkdir(this.#derived, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw new AirdockError('USAGE', `the cache ${this.directory} cannot be made (${systemCode(error) ?? 'unknown error'})`, {
        hint: 'Name another directory with --cache-dir.',
        cause: error,
      });
    }
  }

  /** Two images with the same layer wait for one download. */
  #once(key: string, work: () => Promise<StoredBlob>): Promise<StoredBlob> {
    let running = this.#running.get(key);
    if (!running) {
      running = work();
      this.#running.set(key, running);
    }
    return running;
  }

  async #has({ digest, size }: Wanted): Promise<boolean> {
    try {
      return (await stat(this.#path(digest))).size === size;
    } catch (error) {
      if (['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) return false;
      throw error;
    }
  }

  #stored({ digest, size }: Wanted): StoredBlob {
    const path = this.#path(digest);
    return {
      digest,
      size,
      open: () => createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>,
      ends: () => readEnds(path, size),
      lend: () => lend(path),
    };
  }

  #path(digest: Digest): string {
    return join(this.directory, hexOf(digest));
  }
}

async function writeAll(handle: FileHandle, chunk: Buffer, position: number): Promise<void> {
  for (let written = 0; written < chunk.length;) {
    const { bytesWritten } = await handle.write(chunk, written, chunk.length - written, position + written);
    written += bytesWritten;
  }
}

async function rehash(handle: FileHandle, hash: ReturnType<typeof createHash>, limit: number): Promise<number> {
  const { size } = await handle.stat();
  const usable = size > limit ? 0 : size;
  await handle.truncate(usable);
  if (usable === 0) return 0;
  for await (const chunk of lentChunks(handle, usable)) hash.update(chunk);
  return usable;
}

async function* lend(path: string): AsyncIterable<Buffer> {
  const handle = await open(path, 'r');
  try {
    yield* lentChunks(handle, Infinity);
  } finally {
    await handle.close();
  }
}

/** The first `size` bytes of a file, in two buffers that take turns. */
async function* lentChunks(handle: FileHandle, size: number): AsyncIterable<Buffer> {
  const buffers = [Buffer.allocUnsafeSlow(chunkSize), Buffer.allocUnsafeSlow(chunkSize)];
  for (let turn = 0, position = 0; position < size; turn = 1 - turn) {
    const buffer = buffers[turn] as Buffer;
    const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, size - position), position);
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

async function readEnds(path: string, size: number): Promise<{ first: Buffer; last: Buffer }> {
  const handle = await open(path, 'r');
  try {
    const first = Buffer.alloc(2);
    const last = Buffer.alloc(Math.min(4, size));
    await handle.read(first, 0, 2, 0);
    await handle.read(last, 0, last.length, size - last.length);
    return { first, last };
  } finally {
    await handle.close();
  }
}

async function readNote(path: string): Promise<Wanted | undefined> {
  try {
    const [digest = '', size] = (await readFile(path, 'utf8')).trim().split(' ');
    return isDigest(digest) ? { digest, size: Number(size) } : undefined;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) === 'EPERM';
  }
}
