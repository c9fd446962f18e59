import { createHash } from 'node:crypto';
import { finish, type Digest } from '../digest.ts';
import { AirdockError } from '../errors.ts';
import type { Entry } from './entries.ts';
import type { ChunkOptions, Source } from './source.ts';

/** docs/FORMAT.md section 2: each entry's bytes have the digest that is listed. @throws BUNDLE_DIGEST_MISMATCH */
export function checkDigest(name: string, digest: Digest, sums: ReadonlyMap<string, Digest>): void {
  if (digest === sums.get(name)) return;
  throw new AirdockError('BUNDLE_DIGEST_MISMATCH', `${name} is not what was signed: its bytes were changed (FORMAT.md 2)`, {
    hint: 'Copy the bundle again; if it stays so, get it again from the vendor.',
  });
}

/** An entry's data, hashed on its way; a mismatch throws at its end. */
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
