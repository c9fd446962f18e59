import type { Digest } from '../digest.ts';
import type { Blob } from './source.ts';

/**
 * A blob in the store, with the bytes that tell its uncompressed size. What `lend` gives is the consumer's only until it asks
 * for the next chunk: two buffers in turn, where garbage would grow by tens of MiB.
 */
export type StoredBlob = Blob & { ends(): Promise<{ first: Buffer; last: Buffer }>; lend(): AsyncIterable<Buffer> };

/** Where blobs are kept while a bundle is made. */
export type BlobStore = {
  /** The blob, fetched unless it is there. `open(offset)` goes on where an earlier attempt ended. */
  fetch(
    wanted: { digest: Digest; size: number },
    open: (offset: number) => AsyncIterable<Buffer>,
    options: { what: string; signal?: AbortSignal },
  ): Promise<StoredBlob>;
  /** A blob that is computed; `key` names what from. */
  derive(key: string, make: () => AsyncIterable<Buffer>, options: { signal?: AbortSignal }): Promise<StoredBlob>;
};
