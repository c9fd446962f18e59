import { createHash, randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { finish, hexOf, isDigest, type Digest } from '../digest.ts';
import { AirdockError, isAirdockError, systemCode } from '../errors.ts';
import type { BlobStore, StoredBlob } from '../images/blob-store.ts';
import { diskError } from '../io/files.ts';
import { append, lend, storedBlob } from './blob-file.ts';
import { rehash, takeOver } from './partial-blob.ts';

export type CacheStatistics = { blobs: number; fromCache: number; fetchedBytes: number };

type BlobKey = { digest: Digest; size: number };
type Options = { what?: string; signal?: AbortSignal | undefined };

/**
 * Blobs by digest, shared by all builds of a user. A finished blob is never fetched twice; a partial one is kept and
 * continued. The content is not trusted: `writeBundle` hashes every blob again, and `dropDamaged` removes damaged ones.
 *
 * `HEX` is a finished blob, `HEX.part` a partial one that no process uses, `HEX.part.PID.RANDOM` one that a process is downloading.
 */
export class BlobCache implements BlobStore {
  readonly directory: string;
  /** Directory for temporary files that are too large for memory. */
  readonly scratch: string;
  readonly #derived: string;
  readonly #onBytes: (bytes: number) => void;
  readonly #running = new Map<string, Promise<StoredBlob>>();
  readonly statistics: CacheStatistics = { blobs: 0, fromCache: 0, fetchedBytes: 0 };
  readonly #fetched = (bytes: number): void => {
    this.statistics.fetchedBytes += bytes;
    this.#onBytes(bytes);
  };

  /** @param root `~/.cache/airdock`; created when needed */
  constructor(root: string, onBytes: (bytes: number) => void = () => {}) {
    this.directory = join(root, 'blobs');
    this.scratch = join(root, 'scratch');
    this.#derived = join(root, 'derived');
    this.#onBytes = onBytes;
  }

  fetch(blob: BlobKey, source: (offset: number) => AsyncIterable<Buffer>, options: Options = {}): Promise<StoredBlob> {
    return this.#once(blob.digest, async () => {
      this.statistics.blobs += 1;
      if (await this.#has(blob)) {
        this.statistics.fromCache += 1;
        this.#onBytes(blob.size);
      } else {
        await this.#download(blob, source, options);
      }
      return storedBlob(blob, this.#path(blob.digest));
    });
  }

  derive(key: string, make: () => AsyncIterable<Buffer>, options: Options = {}): Promise<StoredBlob> {
    return this.#once(key, async () => {
      this.statistics.blobs += 1;
      const note = join(this.#derived, key);
      const known = await readNote(note);
      if (known && (await this.#has(known))) {
        this.statistics.fromCache += 1;
        return storedBlob(known, this.#path(known.digest));
      }
      await this.#prepare();
      const temporary = join(this.directory, `derived.part.${process.pid}.${randomBytes(6).toString('hex')}`);
      try {
        const handle = await open(temporary, 'wx', 0o600);
        const hash = createHash('sha256');
        const size = await append(handle, make(), hash, 0, this.#fetched, options.signal).finally(() => handle.close());
        const made = { digest: finish(hash), size };
        await rename(temporary, this.#path(made.digest));
        await writeFile(`${note}.${process.pid}`, `${made.digest} ${made.size}\n`);
        await rename(`${note}.${process.pid}`, note);
        return storedBlob(made, this.#path(made.digest));
      } catch (error) {
        await rm(temporary, { force: true });
        throw diskError(error, this.directory);
      }
    });
  }

  /** Reads blobs back and removes those whose content does not match their digest. @returns the removed digests */
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

  async #download(blob: BlobKey, source: (offset: number) => AsyncIterable<Buffer>, options: Options): Promise<void> {
    await this.#prepare();
    const part = `${this.#path(blob.digest)}.part`;
    const mine = `${part}.${process.pid}.${randomBytes(6).toString('hex')}`;
    const adopted = await takeOver(part, mine);
    try {
      for (const mayResume of adopted ? [true, false] : [false]) {
        const handle = await open(mine, mayResume ? 'r+' : 'w+', 0o600);
        try {
          const hash = createHash('sha256');
          const offset = mayResume ? await rehash(handle, hash, blob.size) : 0;
          this.#onBytes(offset);
          const size = await append(handle, source(offset), hash, offset, this.#fetched, options.signal);
          if (size === blob.size && finish(hash) === blob.digest) break;
          this.#onBytes(-size);
          // The partial file of an earlier run may be damaged: download once more from the beginning.
          if (mayResume) continue;
          await handle.truncate(0);
          throw new AirdockError('SOURCE_CORRUPT', `${options.what ?? blob.digest}: the downloaded bytes have another digest`, {
            hint: 'The source or a proxy changes the content. Try again; if the error comes back, push the image again.',
          });
        } finally {
          await handle.close();
        }
      }
      await rename(mine, this.#path(blob.digest));
    } catch (error) {
      if (isAirdockError(error, 'SOURCE_CORRUPT')) await rm(mine, { force: true });
      else await rename(mine, part).catch(() => {});
      throw diskError(error, this.directory);
    }
  }

  async #prepare(): Promise<void> {
    try {
      await mkdir(this.directory, { recursive: true, mode: 0o700 });
      await mkdir(this.#derived, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw new AirdockError(
        'USAGE',
        `the cache directory ${this.directory} cannot be created (${systemCode(error) ?? 'unknown error'})`,
        {
          hint: 'Name another directory with --cache-dir.',
          cause: error,
        },
      );
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

  async #has({ digest, size }: BlobKey): Promise<boolean> {
    try {
      return (await stat(this.#path(digest))).size === size;
    } catch (error) {
      if (['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) return false;
      throw error;
    }
  }

  #path(digest: Digest): string {
    return join(this.directory, hexOf(digest));
  }
}

async function readNote(path: string): Promise<BlobKey | undefined> {
  try {
    const [digest = '', size] = (await readFile(path, 'utf8')).trim().split(' ');
    return isDigest(digest) ? { digest, size: Number(size) } : undefined;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
