import type { ImageRecord, LayerRecord, Platform } from '../bundle/manifest.ts';
import { digestOf, type Digest } from '../digest.ts';
import type { BlobStore } from './blob-store.ts';
import { inflated } from './gzip.ts';
import { collectLayer, pendingLayer, type PendingLayer } from './layers.ts';
import {
  corrupt,
  expectDigest,
  parseConfig,
  parseManifest,
  platformMissing,
  selectPlatform,
  type Descriptor,
  type ImageConfig,
  type ManifestBytes,
} from './manifest.ts';
import { ociConfig, ociManifest } from './media-types.ts';
import type { ImageName } from './reference.ts';
import { hasRawImages, type Blob, type ImageSource } from './source.ts';

/** An image whose manifest and config are read, but none of its layers. */
export type ResolvedImage = {
  name: ImageName;
  source: ImageSource;
  indexDigest?: Digest | undefined;
  /** Undefined when airdock has to make one. */
  manifest?: ManifestBytes | undefined;
  config: Buffer;
  layers: PendingLayer[];
};

export type Collected = { record: ImageRecord; blobs: (Blob & { lend?(): AsyncIterable<Buffer> })[] };

/** The limit of docs/FORMAT.md section 8. */
const configLimit = 4 << 20;

/** @throws AirdockError PLATFORM_MISSING, IMAGE_UNSUPPORTED, LAYER_TOO_LARGE, SOURCE_CORRUPT and the errors of the source */
export async function resolveImage(
  source: ImageSource,
  name: ImageName,
  platform: Platform,
  signal?: AbortSignal,
): Promise<ResolvedImage> {
  const where = `${source.label(name)}, ${name.canonical}`;
  const raw = hasRawImages(source) ? await source.raw(name, signal) : undefined;
  if (raw) {
    const config = parseConfig(raw.config, where);
    checkPlatform(config, platform, name);
    checkCount(config, raw.layers.length, where);
    const layers = raw.layers.map((layer, index) => ({
      kind: 'raw' as const,
      diffId: config.diffIds[index] as Digest,
      open: () => inflated(layer.open()),
    }));
    return { name, source, config: raw.config, layers };
  }

  let found = await source.resolve(name, signal);
  let parsed = parseManifest(found, where);
  const indexDigest = parsed.kind === 'index' ? found.digest : undefined;
  // An index may name indexes (OCI image-spec image-index.md); deeper nesting is refused.
  for (let depth = 0; parsed.kind === 'index' && depth < 2; depth += 1) {
    const entry: Descriptor = selectPlatform(parsed.manifests, platform, name.canonical);
    found = { ...(await source.manifest(name, entry.digest, signal)), mediaType: entry.mediaType };
    parsed = parseManifest(found, where);
  }
  if (parsed.kind === 'index') throw corrupt(where, 'an index within an index within an index');
  const { manifest } = parsed;
  const configBytes = await readConfig(source, name, manifest.config, where, signal);
  const config = parseConfig(configBytes, where);
  checkPlatform(config, platform, name);
  checkCount(config, manifest.layers.length, where);
  const layers = manifest.layers.map((descriptor, index) =>
    pendingLayer(source, name, descriptor, config.diffIds[index] as Digest, signal),
  );
  return {
    name,
    source,
    indexDigest,
    // A layer that must be compressed changes the manifest, so a new one is made.
    manifest: layers.some((layer) => layer.kind === 'raw') ? undefined : { ...found, mediaType: parsed.mediaType },
    config: configBytes,
    layers,
  };
}

/** @param usedBy `compose api worker beat`, `chart api.image` */
export async function collectImage(
  image: ResolvedImage,
  store: BlobStore,
  usedBy: readonly string[],
  limit: <T>(work: () => Promise<T>) => Promise<T>,
  signal?: AbortSignal,
): Promise<Collected> {
  const options = { signal };
  const got = await Promise.all(
    image.layers.map((layer) => limit(() => collectLayer(image.source, image.name, layer, store, options))),
  );
  const configDigest = digestOf(image.config);
  const manifest =
    image.manifest ??
    makeManifest(
      image.config,
      got.map(({ record }) => record),
    );
  return {
    record: {
      reference: image.name.canonical,
      ...(image.indexDigest === undefined ? {} : { indexDigest: image.indexDigest }),
      manifestDigest: manifest.digest,
      manifestSize: manifest.bytes.length,
      manifestMediaType: manifest.mediaType,
      configDigest,
      configSize: image.config.length,
      layers: got.map(({ record }) => record),
      origin: image.source.origin,
      usedBy: [...usedBy],
    },
    blobs: [inMemory(manifest.bytes), inMemory(image.config), ...got.map(({ blob }) => blob)],
  };
}

/** Makes an OCI manifest for an image without one; its bytes depend only on config and layers. */
function makeManifest(config: Buffer, layers: readonly LayerRecord[]): ManifestBytes {
  const bytes = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: ociManifest,
      config: { mediaType: ociConfig, digest: digestOf(config), size: config.length },
      layers: layers.map(({ mediaType, digest, size }) => ({ mediaType, digest, size })),
    }),
  );
  return { bytes, digest: digestOf(bytes), mediaType: ociManifest };
}

async function readConfig(
  source: ImageSource,
  name: ImageName,
  expected: Descriptor,
  where: string,
  signal?: AbortSignal,
): Promise<Buffer> {
  if (expected.size > configLimit) throw corrupt(where, `its configuration is too large: ${expected.size} bytes`);
  const chunks: Buffer[] = [];
  for await (const chunk of source.blob(name, expected, { signal })) chunks.push(Buffer.from(chunk));
  const bytes = Buffer.concat(chunks);
  expectDigest(bytes, expected.digest, `${where}, configuration`);
  return bytes;
}

function checkPlatform(config: ImageConfig, platform: Platform, name: ImageName): void {
  const found = `${config.os}/${config.architecture}`;
  if (found !== platform) throw platformMissing(name.canonical, platform, [found]);
}

function checkCount(config: ImageConfig, layers: number, where: string): void {
  if (config.diffIds.length !== layers) {
    throw corrupt(where, `the manifest has ${layers} layers, the configuration ${config.diffIds.length}`);
  }
}

function inMemory(bytes: Buffer): Blob {
  return {
    digest: digestOf(bytes),
    size: bytes.length,
    open: async function* () {
      yield bytes;
    },
  };
}
