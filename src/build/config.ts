import { z } from 'zod';
import {
  database,
  healthCheck,
  migrationEntry,
  productName,
  redis,
  rehearsal,
  requirements,
  upgradeRules,
  version,
} from '../bundle/manifest.ts';

/**
 * The schema of `bundle.config.ts`, which says what a release consists of. Paths are relative to that file. `${version}`
 * is the only placeholder, in any string. `README.md` (the operator's guide) and `values-template.yaml` lie beside the
 * compose file.
 */

const service = z.string().min(1);

const imageSource = z.union([
  z.literal('registry'),
  /** The local Docker Engine. */
  z.literal('engine'),
  z.strictObject({ ociLayout: z.string() }),
  /** A `docker save` or OCI archive (tar, also gzipped). */
  z.strictObject({ archive: z.string() }),
]);
export type ImageSource = z.infer<typeof imageSource>;

export const bundleConfig = z.strictObject({
  product: productName,
  compose: z.string(),
  env: z.string(),
  chart: z.strictObject({ path: z.string(), values: z.array(z.string()) }).optional(),
  /** Images that compose and chart do not name, or that do not come from a registry. */
  images: z
    .array(z.strictObject({ ref: z.string(), source: imageSource.optional(), usedBy: z.array(z.string()).optional() }))
    .optional(),
  migration: z.strictObject({
    service,
    command: z.array(z.string()).min(1),
    /** Every release that changed the schema; releases later than the version being built are ignored. */
    history: z.array(migrationEntry),
  }),
  database,
  writers: z.array(service),
  traffic: z.array(service),
  health: z.array(healthCheck).min(1),
  upgrade: upgradeRules,
  /** `disk` may be bytes or a text such as `2GiB`. */
  requires: requirements.extend({
    disk: z.union([requirements.shape.disk, z.string().regex(/^\d+(\.\d+)?\s*(KiB|MiB|GiB|TiB|kB|MB|GB|TB|B)$/)]),
  }),
  redis: redis.optional(),
  volumes: z.array(z.string()).optional(),
  securityFloor: version.optional(),
  /** Without it the migration's service is rehearsed with its own environment. */
  rehearsal: rehearsal.optional(),
});
export type BundleConfig = z.input<typeof bundleConfig>;
export type ResolvedConfig = z.output<typeof bundleConfig>;

/** Gives the configuration its type; `airdock build` checks the content. */
export function defineBundle(config: BundleConfig): BundleConfig {
  return config;
}
