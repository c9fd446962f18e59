import { z } from 'zod';

export const trustRotateDocument = z.strictObject({
  schema: z.literal('airdock.trust-rotate/1'),
  /** Path of trust.json. */
  path: z.string(),
  product: z.string(),
  /** Fingerprint of the root. */
  root: z.string(),
  /** Number of the new set. */
  number: z.int(),
  /** Fingerprints of the keys in the new set. */
  keys: z.array(z.string()),
  /** Fingerprints of keys that no earlier set had. */
  added: z.array(z.string()),
  /** Fingerprints of keys that the new set leaves out. */
  revoked: z.array(z.string()),
});
export type TrustRotated = z.infer<typeof trustRotateDocument>;
