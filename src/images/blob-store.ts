import type { Digest } from '../digest.ts';
import type { Blob } from './source.ts';

/**
 * A blob in the store. `ends` has the bytes that tell its uncompressed size. A chunk of `lend` is valid only until the
 * next one is read: two buffers take turns, because garbage would grow by tens of MiB.
 */
export type StoredBlob = Blob & { ends(): Promise<{ first: Buffer; last: Buffer }>; lend(): AsyncIterable<Buffer> };

/** Where blobs are kept while a bundle is made. */
export type BlobStore = {
  /** The blob, fetched unless the store has it. `open(offset)` continues where an earlier attempt ended. */
  fetch(
    expected: { digest: Digest; size: number },
    open: (offset: number) => AsyncIterable<Buffer>,
    options: { what: string; signal?: AbortSignal | undefined },
  ): Promise<StoredBlob>;
  /** A computed blob; `key` identifies its input. */
  derive(key: string, make: () => AsyncIterable<Buffer>, options: { signal?: AbortSignal | undefined }): Promise<StoredBlob>;
};
