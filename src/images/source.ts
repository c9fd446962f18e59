import type { ImageRecord } from '../bundle/manifest.ts';
import type { Digest } from '../digest.ts';
import type { ManifestBytes } from './manifest.ts';
import type { ImageName } from './reference.ts';

export type Origin = ImageRecord['origin'];

/** Bytes known by their digest. `open` may be called more than once. */
export type Blob = { digest: Digest; size: number; open(): AsyncIterable<Buffer> };

export type BlobOptions = { offset?: number; signal?: AbortSignal | undefined };

/**
 * A source of images: a registry, an OCI layout, an archive. Its data is not trusted: manifests are compared with the
 * requested digest, and blobs are hashed by the code that stores them.
 */
export type ImageSource = {
  readonly origin: Origin;
  /** For messages: `registry ghcr.io`, `archive images.tar`. */
  label(name: ImageName): string;
  /** The manifest or index that the reference names now. @throws AirdockError *_NOT_FOUND and other errors of the source */
  resolve(name: ImageName, signal?: AbortSignal): Promise<ManifestBytes>;
  manifest(name: ImageName, digest: Digest, signal?: AbortSignal): Promise<ManifestBytes>;
  /**
   * The bytes of a blob from `offset` on: at most `size`, fewer only with an error. A chunk is valid only until the next
   * one is read.
   */
  blob(name: ImageName, expected: { digest: Digest; size: number }, options?: BlobOptions): AsyncIterable<Buffer>;
};

/** An image without a manifest, as `docker save` of a classic image store writes it: a config and raw layers. */
export type RawImage = {
  config: Buffer;
  /** Lowest first; tar, or gzip of a tar. */
  layers: readonly { size: number; open(): AsyncIterable<Buffer> }[];
};

/** A source that may also hold images without a manifest. */
export type ArchiveSource = ImageSource & {
  /** Undefined when the image has a manifest, and `resolve` finds it. @throws IMAGE_NOT_FOUND */
  raw(name: ImageName, signal?: AbortSignal): Promise<RawImage | undefined>;
};

export function hasRawImages(source: ImageSource): source is ArchiveSource {
  return 'raw' in source;
}
