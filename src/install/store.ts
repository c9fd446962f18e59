import type { Digest } from '../digest.ts';

export type BlobKey = { digest: Digest; size: number };

/** Blobs and releases under `.airdock/` (DESIGN section 6). Nothing that an entry is called ever becomes a path. */
export interface Store {
  readonly directory: string;
  has(digest: Digest, size: number): Promise<boolean>;
  /** Those that are not there (or have another size), in the given order, each once. */
  missing<Blob extends BlobKey>(blobs: readonly Blob[]): Promise<Blob[]>;
  /** Written once, hashed in the same pass, durable when it returns. @throws BUNDLE_DIGEST_MISMATCH, BUNDLE_SIZE_MISMATCH, DISK_FULL */
  putBlob(digest: Digest, size: number, bytes: AsyncIterable<Uint8Array>): Promise<void>;
  /** Hashed again while it streams. @throws BLOB_MISSING; STORE_CORRUPT at its end, naming the blob */
  openBlob(digest: Digest): AsyncIterable<Buffer>;
  /** Small files of a release by bundle path (`compose.yaml`, `chart/nodepad-0.3.0.tgz`, `bundle.json`…); replaces what was there. */
  putRelease(version: string, files: ReadonlyMap<string, Uint8Array>): Promise<void>;
  /** @throws BLOB_MISSING when there is no such release, STORE_CORRUPT when a file of it was changed */
  readRelease(version: string): Promise<Map<string, Buffer>>;
  /** Versions, in no particular order. */
  releases(): Promise<string[]>;
  removeRelease(version: string): Promise<void>;
  /** Removes every other blob; bytes freed. */
  pruneBlobs(keep: Iterable<Digest>): Promise<number>;
}

/** Opens or creates the store. @throws DIRECTORY_UNSAFE when `.airdock` or a directory in it is a symlink */
export declare function openStore(airdockDirectory: string): Promise<Store>;
