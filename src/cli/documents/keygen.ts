import { z } from 'zod';

export const keygenDocument = z.strictObject({
  schema: z.literal('airdock.keygen/1'),
  /** Paths of the encrypted private key and of the public key. */
  privateKey: z.string(),
  publicKey: z.string(),
  fingerprint: z.string(),
});
export type KeygenDocument = z.infer<typeof keygenDocument>;
