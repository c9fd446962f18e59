import { z } from 'zod';
import { digest, productName, version } from '../../bundle/manifest.ts';

const size = z.int().nonnegative();

/** `airdock push --json`. */
export const pushDocument = z.strictObject({
  schema: z.literal('airdock.push/1'),
  product: productName,
  version,
  registry: z.string(),
  /** Fingerprint of the key that signed. */
  key: z.string(),
  images: z.array(z.strictObject({ reference: z.string(), target: z.string(), digest })),
  chart: z.strictObject({ target: z.string(), digest }).nullable(),
  /** Blobs by what became of them; one that several repositories share counts once in each. */
  blobs: z.strictObject({ sent: size, sentBytes: size, mounted: size, present: size }),
});
export type PushDocument = z.infer<typeof pushDocument>;
