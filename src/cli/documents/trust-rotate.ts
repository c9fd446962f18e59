import { z } from 'zod';

export const trustRotateDocument = z.strictObject({
  schema: z.literal('airdock.trust-rotate/1'),
  /** Path of trust.json. */
  path: z.string(),
  product: z.string(),
  /** Fingerprint. */
  root: z.string(),
  /** Number of the new set. */
  number: z.int(),
  /** Fingerprints of its keys. */
  keys: z.array(z.string()),
  /** Of those that no set before had, and of those that this one leaves out. */
  added: z.array(z.string()),
  revoked: z.array(z.string()),
});
export type TrustRotated = z.infer<typeof trustRotateDocument>;
