import { z } from 'zod';

export const signDocument = z.strictObject({
  schema: z.literal('airdock.sign/1'),
  /** With `--external` and no signature yet: the SHA-256 to sign, 64 hex digits. */
  digest: z.string().optional(),
  /** Fingerprint of the key that signed. */
  key: z.string().optional(),
});
export type SignDocument = z.infer<typeof signDocument>;
