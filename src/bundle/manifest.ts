import { z } from 'zod';
import type { Digest } from '../digest.ts';

/** `bundle.json`, the manifest of a release (docs/FORMAT.md section 4). Types are inferred from the schemas. */

/** A pattern rather than a function, so that the JSON Schema has it too; the cast adds the brand of `Digest`. */
export const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/, 'not a sha256 digest') as unknown as z.ZodType<Digest, Digest>;
const size = z.int().nonnegative();
/** UTC, whole seconds. */
export const timestamp = z.iso.datetime({ precision: 0 });
/** semver.org 2.0.0, without build metadata: a `+` cannot be part of an image tag. */
export const version = z
  .string()
  .regex(
    /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$/,
    'not a semver version without build metadata',
  );
export const productName = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/, 'lowercase letters, digits and dashes, at most 40');
const serviceName = z.string().regex(/^[a-zA-Z0-9._-]+$/, 'not a compose service name');
const envKey = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'not an environment variable name');
/** `500ms`, `10s`, `2m`: one number and one unit. */
const duration = z.string().regex(/^\d+(ms|s|m)$/, 'a duration such as 500ms, 10s or 2m');

export const migrationClass = z.enum(['none', 'expand', 'irreversible']);
export type MigrationClass = z.infer<typeof migrationClass>;

export const migrationEntry = z.strictObject({ version, class: migrationClass, summary: z.string().max(500) });

export const platform = z.enum(['linux/amd64', 'linux/arm64']);
export type Platform = z.infer<typeof platform>;

/** The platform of what Node calls `arch`; undefined for an architecture that no release supports. */
export function platformOf(arch: string): Platform | undefined {
  return ({ x64: 'linux/amd64', arm64: 'linux/arm64' } as const)[arch as 'x64' | 'arm64'];
}

export const healthCheck = z.strictObject({
  name: z.string().min(1).max(60),
  /** `external`: from the host, as a user would; `internal`: to the container's own address. */
  scope: z.enum(['internal', 'external']),
  /** The service whose container an internal check calls. */
  service: serviceName.optional(),
  /** With compose interpolation: `http://127.0.0.1:${NODEPAD_PORT:-8080}/api/health`. Internal: the host part is replaced. */
  url: z.string().min(1),
  status: z.int().min(100).max(599),
  /** Members that the JSON answer must have, with these values. */
  json: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional(),
  /** How long the check must pass without a break. */
  window: duration,
  interval: duration,
  /** The longest time from the first attempt until the check has passed for the window. */
  timeout: duration,
});
export type HealthCheck = z.infer<typeof healthCheck>;

export const database = z.union([
  z.literal('none'),
  z
    .strictObject({
      /** The compose service of a bundled database. */
      service: serviceName.optional(),
      /** The `.env` key with a `postgresql://` URL of an external one; a value that is not empty takes precedence over `service`. */
      urlKey: envKey.optional(),
      userKey: envKey,
      passwordKey: envKey,
      nameKey: envKey,
    })
    .refine((value) => value.service !== undefined || value.urlKey !== undefined, 'service or urlKey is needed'),
]);

export const redis = z.strictObject({
  service: serviceName,
  /** `cache`: emptied when another database is put in place. `state`: part of every backup. */
  kind: z.enum(['cache', 'state']),
  /** The `.env` key of its password, when it has one. */
  passwordKey: envKey.optional(),
});
/** How the migration is rehearsed on a copy of the database, where nothing else of the deployment can be reached. */
export const rehearsal = z.strictObject({
  /** The whole environment of the migration's container, with compose interpolation: `POSTGRES_PASSWORD: ${POSTGRES_PASSWORD}`. */
  env: z.record(envKey, z.string()),
  /** Services that it needs besides the database, started empty and thrown away. */
  dependencies: z.array(serviceName),
});
export const upgradeRules = z.strictObject({
  /** Versions that may upgrade to this one, a semver range. */
  from: z.string().min(1),
  /** Releases that an upgrade must not skip. */
  stops: z.array(version),
});
export const requirements = z.strictObject({
  /** Ranges of Docker Engine and of the compose plugin, e.g. `>=20.10`. */
  engine: z.string(),
  compose: z.string(),
  /** Free bytes needed besides what the disk ledger computes. */
  disk: size,
  /** PostgreSQL major version of the release; absent without a database. */
  postgres: z.int().positive().optional(),
});

/** As `images/reference.ts` writes it: registry, repository, then a tag, a digest or both (distribution/reference, regexp.go). */
const host = String.raw`(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?|\[[0-9a-fA-F:]+\])(?::\d{1,5})?`;
const component = String.raw`[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*`;
const reference = z
  .string()
  .max(512)
  .regex(
    new RegExp(String.raw`^${host}(?:/${component})+(?::\w[\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?$`),
    'not a canonical image reference: registry/name:tag',
  );

const layer = z.strictObject({
  digest,
  size,
  mediaType: z.string(),
  /** Digest and size of the uncompressed tar (config `rootfs.diff_ids`). */
  diffId: digest,
  uncompressedSize: size,
});
export type LayerRecord = z.infer<typeof layer>;

export const image = z.strictObject({
  /** Canonical full reference: `ghcr.io/palazski/nodepad-api:0.3.0`, `docker.io/library/postgres:15`. */
  reference,
  /** Digest of the index that the reference named on the registry, when it named one. */
  indexDigest: digest.optional(),
  manifestDigest: digest,
  manifestSize: size,
  manifestMediaType: z.string(),
  configDigest: digest,
  configSize: size,
  layers: z.array(layer),
  /** `engine`: the manifest was made by airdock, a classic image store has none. */
  origin: z.enum(['registry', 'engine', 'oci-layout', 'archive']),
  /** Where it is used: `compose api`, `chart image.tag`. */
  usedBy: z.array(z.string()),
});
export type ImageRecord = z.infer<typeof image>;

const fileRole = z.enum(['readme', 'compose', 'env-template', 'values-template', 'chart', 'licenses', 'installer']);
const file = z.strictObject({ path: z.string(), digest, size, role: fileRole });
export type FileRecord = z.infer<typeof file>;

export const bundleManifest = z.strictObject({
  schema: z.literal('airdock.bundle/1'),
  format: z.literal(1),
  product: productName,
  version,
  platform,
  /** ISO 8601, UTC, seconds: from SOURCE_DATE_EPOCH when it is set. */
  created: timestamp,
  /** The source revision (git) or an empty string. */
  revision: z.string().max(200),
  /** Name and version of the airdock that built the bundle. */
  builder: z.string(),
  images: z.array(image),
  files: z.array(file),
  requires: requirements,
  upgrade: upgradeRules,
  /** One entry a release from the floor of `upgrade.from` to this one, ascending; releases without one are `none`. */
  migrations: z.array(migrationEntry),
  migration: z.strictObject({ service: serviceName, command: z.array(z.string()).min(1) }),
  database,
  writers: z.array(serviceName),
  traffic: z.array(serviceName),
  health: z.array(healthCheck),
  redis: redis.optional(),
  rehearsal: rehearsal.optional(),
  volumes: z.array(z.string()),
  securityFloor: version.optional(),
});
export type BundleManifest = z.infer<typeof bundleManifest>;

/** A `duration` in milliseconds. */
export function milliseconds(text: string): number {
  const match = /^(\d+)(ms|s|m)$/.exec(text);
  if (!match) throw new TypeError(`not a duration: ${text}`);
  return Number(match[1]) * { ms: 1, s: 1000, m: 60_000 }[match[2] as 'ms' | 's' | 'm'];
}

/** The compose service of the database; undefined where the release declares none. */
export function databaseServiceOf(manifest: BundleManifest): string | undefined {
  return manifest.database === 'none' ? undefined : manifest.database.service;
}
