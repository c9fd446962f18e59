import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { lstat, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, finish, hexOf, isDigest } from '../../digest.ts';
import { AirdockError, systemCode } from '../../errors.ts';
import { diskError, freeBytes, ownDirectory, removeTree, syncDirectory } from '../../io/files.ts';
import { ReleaseFiles } from './release-files.ts';

export type BlobKey = { digest: Digest; size: number };

/** Blobs and releases under `.airdock/`. Names from a bundle never become paths. */
export interface Store {
  readonly directory: string;
  has(digest: Digest, size: number): Promise<boolean>;
  /** Blobs that the store lacks (or has with another size), in the given order, each once. */
  missing<Blob extends BlobKey>(blobs: readonly Blob[]): Promise<Blob[]>;
  /** Writes and hashes a blob in one pass; durable when it returns. @throws BUNDLE_DIGEST_MISMATCH, BUNDLE_SIZE_MISMATCH, DISK_FULL */
  putBlob(digest: Digest, size: number, bytes: AsyncIterable<Uint8Array>): Promise<void>;
  /** Streams a blob and hashes it again. @throws BLOB_MISSING; STORE_CORRUPT at the end of the stream, naming the blob */
  openBlob(digest: Digest): AsyncIterable<Buffer>;
  /** Streams a blob unchecked, for callers that hash it themselves (`dockerArchive`). @throws BLOB_MISSING */
  streamBlob(digest: Digest): AsyncIterable<Buffer>;
  /** Stores the small files of a release by bundle path (`compose.yaml`, `chart/nodepad-0.3.0.tgz`, `bundle.json`…); replaces older ones atomically. */
  putRelease(version: string, files: ReadonlyMap<string, Uint8Array>): Promise<void>;
  /** @throws BLOB_MISSING when there is no such release, STORE_CORRUPT when a file of it was changed */
  readRelease(version: string): Promise<Map<string, Buffer>>;
  /** Versions, in no particular order. */
  releases(): Promise<string[]>;
  removeRelease(version: string): Promise<void>;
  /** Removes all blobs but `keep`. @returns bytes freed */
  pruneBlobs(keep: Iterable<Digest>): Promise<number>;
}

/** Opens or creates the store. @throws DIRECTORY_UNSAFE when `.airdock` or a directory in it is a symlink */
export async function openStore(airdockDirectory: string): Promise<Store> {
  const blobs = join(airdockDirectory, 'blobs', 'sha256');
  const releases = join(airdockDirectory, 'releases');
  for (const path of [airdockDirectory, join(airdockDirectory, 'blobs'), blobs, releases]) await ownDirectory(path);
  return new DirectoryStore(airdockDirectory, blobs, new ReleaseFiles(releases));
}

const partial = '.partial';

class DirectoryStore implements Store {
  readonly directory: string;
  readonly #blobs: string;
  readonly #releases: ReleaseFiles;
  #cleaned: Promise<void> | undefined;

  constructor(directory: string, blobs: string, releases: ReleaseFiles) {
    this.directory = directory;
    this.#blobs = blobs;
    this.#releases = releases;
  }

  async has(digest: Digest, size: number): Promise<boolean> {
    const stats = await lstat(this.#path(digest)).catch((error: unknown) => {
      if (systemCode(error) === 'ENOENT') return undefined;
      throw error;
    });
    return stats !== undefined && stats.isFile() && stats.size === size;
  }

  async missing<Blob extends BlobKey>(blobs: readonly Blob[]): Promise<Blob[]> {
    const absent = new Map<Digest, Blob>();
    for (const blob of blobs) {
      if (!absent.has(blob.digest) && !(await this.has(blob.digest, blob.size))) absent.set(blob.digest, blob);
    }
    return [...absent.values()];
  }

  async putBlob(digest: Digest, size: number, bytes: AsyncIterable<Uint8Array>): Promise<void> {
    await (this.#cleaned ??= this.#removePartial());
    const temporary = this.#path(digest) + partial;
    try {
      await writeChecked(temporary, digest, size, bytes);
      await rename(temporary, this.#path(digest));
      await syncDirectory(this.#blobs);
    } catch (error) {
      const full = diskError(error, temporary, size);
      const free = full === error ? 0 : await freeBytes(this.#blobs);
      await rm(temporary, { force: true });
      if (full === error) throw error;
      throw new AirdockError(
        'DISK_FULL',
        `no space left in ${this.#blobs}: ${size} bytes are needed for a blob, ${free} are free`,
        {
          hint: 'Make room on that file system and run the same command again: what was imported so far is kept.',
          cause: error,
          details: { path: this.#blobs, needed: size, free },
        },
      );
    }
  }

  async *openBlob(digest: Digest): AsyncIterable<Buffer> {
    const hash = createHash('sha256');
    for await (const piece of this.streamBlob(digest)) {
      hash.update(piece);
      yield piece;
    }
    if (finish(hash) === digest) return;
    throw new AirdockError('STORE_CORRUPT', `the stored blob ${digest} is damaged`, {
      hint: `Remove ${this.#path(digest)} and install from the bundle again: it puts the blob back.`,
      details: { digest },
    });
  }

  async *streamBlob(digest: Digest): AsyncIterable<Buffer> {
    // O_NOFOLLOW: airdock never makes a link in place of a blob.
    const handle = await open(this.#path(digest), constants.O_RDONLY | constants.O_NOFOLLOW).catch((cause: unknown) => {
      throw new AirdockError('BLOB_MISSING', `the store has no blob ${digest}`, {
        hint: 'Install from the full bundle of the release: it puts the blob back.',
        cause,
        details: { digest },
      });
    });
    // The allocator reuses small pieces at once: with 256 KiB it took 15 MiB more and a third more time (bench/README.md).
    yield* handle.createReadStream({ highWaterMark: 2 ** 16 }) as AsyncIterable<Buffer>;
  }

  putRelease(version: string, files: ReadonlyMap<string, Uint8Array>): Promise<void> {
    return this.#releases.put(version, files);
  }

  readRelease(version: string): Promise<Map<string, Buffer>> {
    return this.#releases.read(version);
  }

  releases(): Promise<string[]> {
    return this.#releases.list();
  }

  removeRelease(version: string): Promise<void> {
    return this.#releases.remove(version);
  }

  async pruneBlobs(keep: Iterable<Digest>): Promise<number> {
    const kept = new Set([...keep].map(hexOf));
    let freed = 0;
    for (const name of await readdir(this.#blobs)) {
      if (kept.has(name) || !(isDigest(`sha256:${name}`) || name.endsWith(partial))) continue;
      freed += (await lstat(join(this.#blobs, name))).size;
      await rm(join(this.#blobs, name), { force: true });
    }
    return freed;
  }

  /** Removes files of a killed import. The caller holds airdock's lock, so nobody else is writing. */
  async #removePartial(): Promise<void> {
    for (const name of await readdir(this.#blobs)) {
      if (name.endsWith(partial)) await removeTree(join(this.#blobs, name));
    }
  }

  #path(digest: Digest): string {
    return join(this.#blobs, hexOf(digest));
  }
}

async function writeChecked(path: string, digest: Digest, size: number, bytes: AsyncIterable<Uint8Array>): Promise<void> {
  const handle = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
  try {
    const hash = createHash('sha256');
    let written = 0;
    for await (const piece of bytes) {
      if (written + piece.length > size) throw sizeMismatch(digest, size);
      // The disk writes a piece while the processor hashes it.
      const writing = handle.writeFile(piece);
      hash.update(piece);
      await writing;
      written += piece.length;
    }
    if (written !== size) throw sizeMismatch(digest, size);
    if (finish(hash) !== digest)
      throw new AirdockError('BUNDLE_DIGEST_MISMATCH', `the bytes of the blob ${digest} do not match its digest`);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function sizeMismatch(digest: Digest, size: number): AirdockError {
  return new AirdockError('BUNDLE_SIZE_MISMATCH', `the blob ${digest} does not have the declared size of ${size} bytes`);
}
