import type { Digest } from '../digest.ts';
import { AirdockError, isAirdockError } from '../errors.ts';
import type { BlobCache } from './cache.ts';

/** A damaged cache must not fail every build from now on. */
export async function cleaningUp<T>(cache: BlobCache, digests: Iterable<Digest>, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isAirdockError(error, 'SOURCE_CORRUPT')) throw error;
    const damaged = await cache.dropDamaged(digests);
    if (damaged.length === 0) throw error;
    throw new AirdockError('SOURCE_CORRUPT', `the cache ${cache.directory} was damaged: ${damaged.join(', ')}`, {
      hint: 'What was damaged is removed. Run the same command again.',
      cause: error,
    });
  }
}
