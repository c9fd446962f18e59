import { createHash } from 'node:crypto';
import { finish, type Digest } from '../digest.ts';
import { AirdockError } from '../errors.ts';
import type { Entry } from './entries.ts';
import type { ChunkOptions, Source } from './source.ts';

/** Checks that an entry has the digest that `SHA256SUMS` lists (docs/FORMAT.md section 2). @throws BUNDLE_DIGEST_MISMATCH */
export function checkDigest(name: string, digest: Digest, sums: ReadonlyMap<string, Digest>): void {
  if (digest === sums.get(name)) return;
  throw new AirdockError('BUNDLE_DIGEST_MISMATCH', `${name} was changed after signing (FORMAT.md 2)`, {
    hint: 'Copy the bundle again; if the error comes back, get the bundle again from the vendor.',
  });
}

/** The data of an entry, hashed while it is read. @throws BUNDLE_DIGEST_MISMATCH after the last chunk */
export async function* checkedChunks(
  source: Source,
  entry: Entry,
  sums: ReadonlyMap<string, Digest>,
  options: ChunkOptions,
): AsyncIterable<Buffer> {
  const hash = createHash('sha256');
  for await (const chunk of source.chunks(entry.offset, entry.size, options)) {
    hash.update(chunk);
    yield chunk;
  }
  checkDigest(entry.name, finish(hash), sums);
}
