import { z } from 'zod';
import { bundleManifest } from '../../bundle/manifest.ts';

const { product, version, platform, created, images, files, migrations, upgrade, requires } = bundleManifest.shape;

export const inspectDocument = z.strictObject({
  schema: z.literal('airdock.inspect/1'),
  product,
  version,
  platform,
  created,
  images,
  files,
  migrations,
  upgrade,
  requires,
  signature: z.strictObject({ /** Fingerprint of the key that signed. */ key: z.string() }),
  /** Entries that a slim bundle does not carry. */
  leftOut: z.array(z.string()),
});
export type InspectDocument = z.infer<typeof inspectDocument>;
