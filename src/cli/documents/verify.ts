import { z } from 'zod';
import { productName, version } from '../../bundle/manifest.ts';

export const verifyDocument = z.strictObject({
  schema: z.literal('airdock.verify/1'),
  ok: z.boolean(),
  /** Product, version and key are unknown when the signature was not good. */
  product: productName.optional(),
  version: version.optional(),
  /** Fingerprint of the key that signed. */
  key: z.string().optional(),
  /** Digest of the running executable, with `--self`. */
  executable: z.string().optional(),
  /** Entries that a slim bundle does not carry. */
  leftOut: z.array(z.string()),
  findings: z.array(z.strictObject({ code: z.string(), text: z.string() })),
});
export type VerifyDocument = z.infer<typeof verifyDocument>;
