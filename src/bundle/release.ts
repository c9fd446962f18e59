import type { Digest } from '../digest.ts';
import type { BundleManifest } from './manifest.ts';
import type { ChunkOptions } from './source.ts';

/** What a reader gives of a bundle that it accepted. */

export type BundleBlob = {
  digest: Digest;
  size: number;
  /** Throws at the end when the bytes are others. `lend`: see `ChunkOptions`, for consumers that need no copy. */
  read(options?: Pick<ChunkOptions, 'lend'>): AsyncIterable<Buffer>;
  /** A part of it, which nobody compares with the digest here. */
  part: (from: number, length: number) => AsyncIterable<Buffer>;
};
/** The same for an installer, which is too large to be held. */
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
  /** In the order of the file. What is not read is skipped. After the last: the file must be unchanged. */
  blobs(): AsyncIterable<BundleBlob>;
  close(): Promise<void>;
};
