import type { Digest } from '../digest.ts';
import { AirdockError, isAirdockError } from '../errors.ts';
import type { BlobCache } from './cache.ts';

/** Runs `work`; after SOURCE_CORRUPT removes the damaged blobs from the cache, so that the next build can succeed. */
export async function cleaningUp<T>(cache: BlobCache, digests: Iterable<Digest>, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isAirdockError(error, 'SOURCE_CORRUPT')) throw error;
    const damaged = await cache.dropDamaged(digests);
    if (damaged.length === 0) throw error;
    throw new AirdockError('SOURCE_CORRUPT', `the cache ${cache.directory} was damaged: ${damaged.join(', ')}`, {
      hint: 'The damaged blobs were removed. Run the same command again.',
      cause: error,
    });
  }
}
