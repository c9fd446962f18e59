import { z } from 'zod';
import { composeEdit } from './edits.ts';

export const adoptDocument = z.strictObject({
  schema: z.literal('airdock.adopt/1'),
  /** Null when adopted without a bundle, because nothing on the host names the product. */
  product: z.string().nullable(),
  version: z.string(),
  project: z.string(),
  /** False when the deployment was airdock's already, and nothing differed. */
  changed: z.boolean(),
  /** The running containers; an adoption does not change them. */
  containers: z.array(z.strictObject({ service: z.string(), id: z.string(), image: z.string() })),
  volumes: z.array(z.string()),
  /** Where the operator's compose file differs from the release's; kept in compose.adopted.yaml. */
  edits: z.array(composeEdit),
  /** What compose reads from now on, in order. */
  files: z.array(z.string()),
  /** Where the release in the store comes from: the bundle with that signer, or the engine. */
  source: z.enum(['bundle', 'engine']),
  signer: z.string().nullable(),
  warnings: z.array(z.string()),
  transaction: z.int().nullable(),
});
export type Adoption = z.infer<typeof adoptDocument>;
