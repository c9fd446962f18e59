import { z } from 'zod';

/** What `airdock trust …` answers. */

const keySet = z.strictObject({
  product: z.string(),
  number: z.int(),
  created: z.string(),
  note: z.string(),
  /** Fingerprints of the keys that count. */
  keys: z.array(z.string()),
  /** Fingerprints of keys that an earlier set had, and this one has not. */
  revoked: z.array(z.string()),
});

export const trustedKey = z.strictObject({
  fingerprint: z.string(),
  role: z.enum(['root', 'release']),
  pinnedAt: z.string(),
  /** False for the key of releases where a root is pinned. */
  counts: z.boolean(),
  /** The newest set that was seen of a root. */
  set: keySet.nullable(),
});
export type TrustedKey = z.infer<typeof trustedKey>;

/** `list`, `add` and `remove` answer the same: what is pinned now. */
export const trustListDocument = z.strictObject({ schema: z.literal('airdock.trust-list/1'), keys: z.array(trustedKey) });
export type TrustList = z.infer<typeof trustListDocument>;
