import type { OpenBundle } from '../bundle/reader.ts';
import type { Digest } from '../digest.ts';
import { AirdockError } from '../errors.ts';
import { allOrNone, limiter } from '../images/concurrency.ts';
import type { ImageName } from '../images/reference.ts';
import type { RegistryWriter, SentBlob } from '../images/registry-writer.ts';
import { chartOf, contentOf, imageArtifacts, type Artifact } from './push-content.ts';
import { imageTargets, type PushTarget } from './push-target.ts';

export type PushResult = {
  images: { reference: string; target: string; digest: Digest }[];
  chart: { target: string; digest: Digest } | null;
  /** Blobs by what became of them; one that several repositories share counts once in each. */
  blobs: { sent: number; sentBytes: number; mounted: number; present: number };
};

export type PushOptions = {
  bundle: OpenBundle;
  target: PushTarget;
  registry: RegistryWriter;
  chart: boolean;
  signal?: AbortSignal;
  /** Called with the bytes that were sent and the total to send. */
  onProgress?: (bytes: number, total: number) => void;
};

/** A blob, with the repositories that have it already and those that need it. */
type BlobPlacement = { digest: Digest; size: number; have: ImageName[]; lack: ImageName[] };

const parallelQueries = 8;
const parallelUploads = 4;

/**
 * Pushes a release to a registry, straight from the bundle. Blobs that the registry has are not sent, those of another
 * repository are mounted, and manifests come last, after all their blobs. Manifests keep their bytes, so digests stay.
 * @throws REGISTRY_*, BLOB_MISSING when neither a slim bundle nor the registry has a blob, BUNDLE_DIGEST_MISMATCH
 */
export async function push(options: PushOptions): Promise<PushResult> {
  const { bundle, registry, signal } = options;
  const images = imageTargets(options.target, bundle.manifest);
  const content = await contentOf(bundle);
  const chart = options.chart ? await chartOf(bundle, options.target, content) : undefined;
  const artifacts = [...(await imageArtifacts(bundle, images, content)), ...(chart ? [chart] : [])];

  const absent = await missingArtifacts(registry, artifacts, signal);
  const placements = await findBlobs(registry, absent, content, signal);
  refuseMissingBlobs(bundle, placements, content);
  const blobs = await sendAll(options, placements, content);
  await allOrNone(signal, (either) => {
    const limit = limiter(parallelUploads);
    return absent.map(({ name, manifest }) => limit(() => registry.putManifest(name, manifest, either)));
  });
  const counted = artifacts.reduce((sum, one) => sum + one.blobs.length, 0);
  return {
    images: images.map(({ reference, target, digest }) => ({ reference, target: target.canonical, digest })),
    chart: chart ? { target: chart.name.canonical, digest: chart.manifest.digest } : null,
    blobs: { ...blobs, present: counted - blobs.sent - blobs.mounted },
  };
}

/** The artifacts whose name does not point to them in the registry yet. */
async function missingArtifacts(
  registry: RegistryWriter,
  artifacts: readonly Artifact[],
  signal?: AbortSignal,
): Promise<Artifact[]> {
  const limit = limiter(parallelQueries);
  const found = await allOrNone(signal, (either) =>
    artifacts.map(({ name, manifest }) =>
      limit(() => registry.manifestDigest(name, name.tag ?? manifest.digest, manifest.mediaType, either)),
    ),
  );
  return artifacts.filter(({ manifest }, index) => found[index] !== manifest.digest);
}

async function findBlobs(
  registry: RegistryWriter,
  artifacts: readonly Artifact[],
  content: ReadonlyMap<Digest, SentBlob>,
  signal?: AbortSignal,
): Promise<BlobPlacement[]> {
  const limit = limiter(parallelQueries);
  const pairs = artifacts.flatMap(({ name, blobs }) => blobs.map((digest) => ({ name, digest })));
  const unique = [...new Map(pairs.map((pair) => [`${pair.name.repository}@${pair.digest}`, pair])).values()];
  const present = await allOrNone(signal, (either) =>
    unique.map(({ name, digest }) => limit(() => registry.hasBlob(name, digest, either))),
  );
  const placements = new Map<Digest, BlobPlacement>();
  for (const [index, { name, digest }] of unique.entries()) {
    const one = placements.get(digest) ?? { digest, size: content.get(digest)?.size ?? 0, have: [], lack: [] };
    (present[index] ? one.have : one.lack).push(name);
    placements.set(digest, one);
  }
  // the largest first, so that only small blobs remain at the end
  return [...placements.values()].filter(({ lack }) => lack.length > 0).toSorted((a, b) => b.size - a.size);
}

/** Checks before the first upload that every blob is in the bundle or in the registry. @throws BLOB_MISSING */
function refuseMissingBlobs(
  bundle: OpenBundle,
  placements: readonly BlobPlacement[],
  content: ReadonlyMap<Digest, SentBlob>,
): void {
  const missing = placements.filter(({ digest, have }) => have.length === 0 && !content.has(digest));
  if (missing.length === 0) return;
  const images = bundle.manifest.images.filter(({ layers }) =>
    layers.some(({ digest }) => missing.some((blob) => blob.digest === digest)),
  );
  throw new AirdockError(
    'BLOB_MISSING',
    `${missing.length} of the layers were left out of this bundle, and the registry does not have them either: ` +
      `${missing.map(({ digest }) => digest).join(', ')} (of ${images.map(({ reference }) => reference).join(', ')})`,
    { hint: 'Push the release that this bundle is based on first, or push the full bundle. Nothing was sent.' },
  );
}

async function sendAll(
  { registry, signal, onProgress }: PushOptions,
  placements: readonly BlobPlacement[],
  content: ReadonlyMap<Digest, SentBlob>,
): Promise<Omit<PushResult['blobs'], 'present'>> {
  const counts = { sent: 0, sentBytes: 0, mounted: 0 };
  const total = placements.reduce((sum, { size, have }) => sum + (have.length === 0 ? size : 0), 0);
  const arrived = new Map<Digest, number>();
  const report = (digest: Digest, bytes: number): void => {
    arrived.set(digest, bytes);
    onProgress?.(
      [...arrived.values()].reduce((sum, one) => sum + one, 0),
      total,
    );
  };
  const limit = limiter(parallelUploads);
  const settle = async ({ digest, size, have, lack }: BlobPlacement, either: AbortSignal): Promise<void> => {
    const holders = [...have];
    for (const name of lack) {
      const [holder] = holders;
      let at: URL | undefined;
      if (holder) {
        at = await registry.mount(name, digest, holder.repository, either);
        if (!at) {
          counts.mounted += 1;
          continue;
        }
      }
      const blob = content.get(digest);
      if (!blob)
        throw new AirdockError(
          'BLOB_MISSING',
          `the registry has ${digest} in ${holder?.repository}, but does not mount it into ${name.repository}`,
          {
            hint: 'Push the full bundle.',
          },
        );
      await registry.send(name, { ...blob, read: counting(blob, (bytes) => report(digest, bytes)) }, { at, signal: either });
      counts.sent += 1;
      counts.sentBytes += size;
      holders.push(name);
    }
  };
  await allOrNone(signal, (either) => placements.map((one) => limit(() => settle(one, either))));
  return counts;
}

function counting({ read }: SentBlob, onBytes: (bytes: number) => void): SentBlob['read'] {
  return async function* (from, length) {
    let at = from;
    for await (const chunk of read(from, length)) {
      yield chunk;
      at += chunk.length;
      onBytes(at);
    }
  };
}
