import type { ImageRecord } from '../bundle/manifest.ts';
import type { Digest } from '../digest.ts';
import type { ManifestBytes } from './manifest.ts';
import type { ImageName } from './reference.ts';

export type Origin = ImageRecord['origin'];

/** Bytes known by their digest. `open` may be called more than once. */
export type Blob = { digest: Digest; size: number; open(): AsyncIterable<Buffer> };

export type BlobOptions = { offset?: number; signal?: AbortSignal };

/**
 * Where images come from: a registry, an OCI layout, an archive. Nothing that it gives is trusted: manifests are compared
 * with the digest that was asked for, blobs are hashed by whoever stores them.
 */
export type ImageSource = {
  readonly origin: Origin;
  /** For messages: `registry ghcr.io`, `archive images.tar`. */
  label(name: ImageName): string;
  /** What the reference names now: a manifest or an index. @throws AirdockError *_NOT_FOUND and what the source can meet */
  resolve(name: ImageName, signal?: AbortSignal): Promise<ManifestBytes>;
  manifest(name: ImageName, digest: Digest, signal?: AbortSignal): Promise<ManifestBytes>;
  /**
   * From `offset` on; at most `size` bytes, fewer only with an error. A chunk is the consumer's only until it asks for the
   * next one.
   */
  blob(name: ImageName, wanted: { digest: Digest; size: number }, options?: BlobOptions): AsyncIterable<Buffer>;
};

/** An image without a manifest of its own, as classic `docker save` writes them: a config and raw layers. */
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
