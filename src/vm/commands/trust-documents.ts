import { z } from 'zod';

/** The JSON documents of `airdock trust …`. */

const keySet = z.strictObject({
  product: z.string(),
  number: z.int(),
  created: z.string(),
  note: z.string(),
  /** Fingerprints of the valid keys. */
  keys: z.array(z.string()),
  /** Fingerprints of keys of earlier sets that this set does not have. */
  revoked: z.array(z.string()),
});

export const trustedKey = z.strictObject({
  fingerprint: z.string(),
  role: z.enum(['root', 'release']),
  pinnedAt: z.string(),
  /** False for a release key when a root is pinned. */
  counts: z.boolean(),
  /** The newest key set of a root that was seen. */
  set: keySet.nullable(),
});
export type TrustedKey = z.infer<typeof trustedKey>;

/** The answer of `list`, `add` and `remove`: the keys that are pinned now. */
export const trustListDocument = z.strictObject({ schema: z.literal('airdock.trust-list/1'), keys: z.array(trustedKey) });
export type TrustList = z.infer<typeof trustListDocument>;
