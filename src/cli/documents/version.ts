import { z } from 'zod';

export const versionDocument = z.strictObject({
  schema: z.literal('airdock.version/1'),
  version: z.string(),
  /** Commit of the sources; '' when it is not known. */
  revision: z.string(),
  node: z.string(),
  /** Digest of the executable, as sha256sum gives it; null when it runs from a checkout. */
  executable: z.string().nullable(),
  /** The newest form of `.airdock/state.db` that this program reads and writes. */
  stateSchema: z.int().positive(),
});
export type VersionDocument = z.infer<typeof versionDocument>;
