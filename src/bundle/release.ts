import type { Digest } from '../digest.ts';
import type { BundleManifest } from './manifest.ts';
import type { ChunkOptions } from './source.ts';

/** A bundle whose structure was checked, as the reader returns it. */

export type BundleBlob = {
  digest: Digest;
  size: number;
  /** Throws after the last chunk when the digest differs. `lend`: see `ChunkOptions`, for consumers that need no copy. */
  read(options?: Pick<ChunkOptions, 'lend'>): AsyncIterable<Buffer>;
  /** A part of the bytes, without a check of the digest. */
  part: (from: number, length: number) => AsyncIterable<Buffer>;
};
/** An installer, which is too large to be held in memory. */
export type BundleInstaller = BundleBlob & { name: string };

export type Release = {
  readonly path: string;
  /** Bytes of the file. */
  readonly size: number;
  readonly sums: ReadonlyMap<string, Digest>;
  readonly sumsBytes: Buffer;
  /** The 512-byte slot. */
  readonly signatureBytes: Buffer;
  readonly manifest: BundleManifest;
  readonly manifestBytes: Buffer;
  /** All files but installers and blobs, by name, with `bundle.json` and the derived ones; their digests are checked. */
  readonly files: ReadonlyMap<string, Buffer>;
  /** Names of the entries that this bundle does not carry (docs/FORMAT.md section 7). */
  readonly leftOut: readonly string[];
  readonly installers: readonly BundleInstaller[];
  /** The blobs in the order of the file; unread ones are skipped. Checks after the last one that the file is unchanged. */
  blobs(): AsyncIterable<BundleBlob>;
  close(): Promise<void>;
};
