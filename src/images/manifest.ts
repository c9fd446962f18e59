import { z } from 'zod';
import type { Platform } from '../bundle/manifest.ts';
import { digestOf, isDigest, type Digest } from '../digest.ts';
import { AirdockError } from '../errors.ts';
import { dockerList, dockerManifest, ociIndex, ociManifest } from './media-types.ts';

/** Manifests, indexes and configs of registries. Unknown members are allowed; the bytes are kept unchanged. */

const digest = z.custom<Digest>((value) => typeof value === 'string' && isDigest(value), 'not a sha256 digest');
const descriptor = z.object({
  mediaType: z.string(),
  digest,
  size: z.int().nonnegative(),
  annotations: z.record(z.string(), z.string()).optional(),
  platform: z.object({ architecture: z.string(), os: z.string(), variant: z.string().optional() }).optional(),
});
export type Descriptor = z.infer<typeof descriptor>;

const imageManifest = z.object({
  schemaVersion: z.literal(2),
  mediaType: z.string().optional(),
  config: descriptor,
  layers: z.array(descriptor),
});
export type ImageManifest = z.infer<typeof imageManifest>;

const index = z.object({ schemaVersion: z.literal(2), mediaType: z.string().optional(), manifests: z.array(descriptor) });

const config = z.object({
  architecture: z.string(),
  os: z.string(),
  rootfs: z.object({ type: z.literal('layers'), diff_ids: z.array(digest) }),
});

/** A manifest or index, byte for byte. */
export type ManifestBytes = { bytes: Buffer; digest: Digest; mediaType: string };

export type ParsedManifest =
  | { kind: 'image'; mediaType: string; manifest: ImageManifest }
  | { kind: 'index'; mediaType: string; manifests: Descriptor[] };

/**
 * @param where the source and the reference, for messages: `ghcr.io for ghcr.io/acme/api:1`
 * @throws AirdockError IMAGE_UNSUPPORTED (schema 1, an artifact), SOURCE_CORRUPT (cut short, not JSON)
 */
export function parseManifest(found: { bytes: Buffer; mediaType?: string }, where: string): ParsedManifest {
  const document = parseJson(found.bytes, 'manifest', where);
  const members = z
    .object({ mediaType: z.string().optional(), schemaVersion: z.number().optional(), manifests: z.unknown().optional() })
    .safeParse(document).data;
  // mediaType in the manifest takes precedence over the header, because a registry may answer application/json.
  const mediaType = members?.mediaType ?? knownType(found.mediaType) ?? (members?.manifests ? ociIndex : ociManifest);
  if (members?.schemaVersion === 1) {
    throw new AirdockError('IMAGE_UNSUPPORTED', `${where}: the image has a manifest of schema 1, which engines no longer load`, {
      hint: 'Push the image again with a current Docker, and build with that tag.',
    });
  }
  if (mediaType === ociIndex || mediaType === dockerList) {
    return { kind: 'index', mediaType, manifests: check(index, document, 'index', where).manifests };
  }
  if (mediaType !== ociManifest && mediaType !== dockerManifest) {
    throw new AirdockError('IMAGE_UNSUPPORTED', `${where}: ${mediaType} is not the manifest of an image`, {
      hint: 'Name a container image. Charts and other artifacts cannot be carried as images.',
    });
  }
  return { kind: 'image', mediaType, manifest: check(imageManifest, document, 'manifest', where) };
}

export type ImageConfig = { architecture: string; os: string; diffIds: Digest[] };

/** @throws AirdockError SOURCE_CORRUPT */
export function parseConfig(bytes: Buffer, where: string): ImageConfig {
  const found = check(config, parseJson(bytes, 'configuration', where), 'configuration', where);
  return { architecture: found.architecture, os: found.os, diffIds: found.rootfs.diff_ids };
}

/** The entry of an index for a platform. Attestations (platform `unknown/unknown`) are not images. @throws PLATFORM_MISSING */
export function selectPlatform(manifests: readonly Descriptor[], platform: Platform, reference: string): Descriptor {
  const offered = manifests.filter((entry) => entry.annotations?.['vnd.docker.reference.type'] === undefined);
  const [os, architecture] = platform.split('/');
  const fitting = offered.filter(
    (entry) =>
      entry.platform?.os === os &&
      entry.platform?.architecture === architecture &&
      // v8 is what every arm64 runs; other variants of both architectures need newer processors
      [undefined, '', 'v8', 'v1'].includes(entry.platform?.variant),
  );
  const [first] = fitting.length > 0 || offered.length !== 1 || offered[0]?.platform ? fitting : offered;
  if (first) return first;
  const names = offered.map((entry) => platformName(entry.platform)).filter((name) => name !== 'unknown/unknown');
  throw platformMissing(reference, platform, names);
}

export function platformMissing(reference: string, platform: Platform, names: readonly string[]): AirdockError {
  return new AirdockError(
    'PLATFORM_MISSING',
    `${reference} does not exist for ${platform}; available: ${names.join(', ') || 'no platform'}`,
    {
      hint: `Push the image for ${platform} too, or build with --platform.`,
    },
  );
}

function platformName(found: Descriptor['platform']): string {
  return found ? [found.os, found.architecture, found.variant].filter(Boolean).join('/') : 'unknown/unknown';
}

/** Checks the digest of bytes. @throws AirdockError SOURCE_CORRUPT */
export function expectDigest(bytes: Buffer, expected: Digest, what: string): void {
  const found = digestOf(bytes);
  if (found !== expected) throw corrupt(what, `its digest is ${found}, not ${expected}`);
}

export function corrupt(what: string, why: string, cause?: unknown): AirdockError {
  return new AirdockError('SOURCE_CORRUPT', `${what}: ${why}`, {
    hint: 'The source returned unusable data. Try again; if the error comes back, push or export the image again.',
    cause,
  });
}

function knownType(header: string | undefined): string | undefined {
  const type = header?.split(';')[0]?.trim();
  return type?.includes('vnd.') ? type : undefined;
}

function parseJson(bytes: Buffer, what: string, where: string): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw corrupt(where, `the ${what} is not a JSON document (${bytes.length} bytes)`, error);
  }
}

function check<T>(schema: z.ZodType<T>, document: unknown, what: string, where: string): T {
  const parsed = schema.safeParse(document);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw corrupt(where, `the ${what} is not valid: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`, parsed.error);
}
