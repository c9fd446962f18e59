import type { Finding } from '../../../policy/finding.ts';
import type { Context } from '../context.ts';

/** Checks that the store has the blobs that a slim bundle leaves out. */
export function checkLeftOut({ missingBlobs, inBundle }: Pick<Context, 'missingBlobs' | 'inBundle'>): Finding[] {
  const absent = inBundle ? missingBlobs.filter((blob) => !inBundle(blob.digest)) : [];
  if (absent.length === 0) return [];
  return [
    {
      code: 'BLOB_MISSING',
      text: `the bundle leaves out ${absent.length} blobs that are not in the store: ${absent.map((blob) => blob.digest).join(', ')}`,
      fix: 'Use the full bundle, or first install the release that the slim bundle was made against.',
    },
  ];
}
