import { z } from 'zod';
import { image, platform, productName, version } from '../../bundle/manifest.ts';

export const buildDocument = z.strictObject({
  schema: z.literal('airdock.build/1'),
  product: productName,
  version,
  platform,
  created: z.string(),
  /** Path of the bundle, its size in bytes and the digest of the file. */
  path: z.string(),
  size: z.int(),
  digest: z.string(),
  /** Fingerprint of the key that signed; null when the bundle is not signed. */
  key: z.string().nullable(),
  images: z.array(image),
  lock: z.strictObject({ unchanged: z.int(), added: z.int() }),
  /** `fetchedBytes` came from the sources, the rest from the cache. */
  blobs: z.strictObject({ blobs: z.int(), fromCache: z.int(), fetchedBytes: z.int() }),
});
export type BuildDocument = z.infer<typeof buildDocument>;
