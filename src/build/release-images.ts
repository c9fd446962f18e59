import type { Platform } from '../bundle/manifest.ts';
import { AirdockError, isAirdockError } from '../errors.ts';
import type { Listener } from '../events.ts';
import { collectImage, resolveImage, type ResolvedImage } from '../images/collect.ts';
import { parseReference } from '../images/reference.ts';
import { BlobCache } from './cache.ts';
import type { ListedImage, ReleaseImage } from './complete.ts';
import { allOrNone, limiter } from '../images/concurrency.ts';
import type { ImageSource } from './config.ts';
import { cleaningUp } from './damaged-cache.ts';
import type { LoadedConfig } from './load-config.ts';
import type { Sources } from './sources.ts';
import { blobsSummary } from './summaries.ts';

/** The images of a release: named, resolved, collected. */

/** Downloads at a time. With more, registries throttle, and a disk is not faster. */
const parallel = 6;

/** The images that the configuration lists. @throws AirdockError REFERENCE_INVALID */
export function listedImages({ config, path }: LoadedConfig): ListedImage[] {
  return (config.images ?? []).map(({ ref, source, usedBy }, index) => {
    const where = `${path} images[${index}]`;
    return { name: parseReference(ref, where), source, usedBy: usedBy ?? [], where };
  });
}

export async function resolveImages(
  wanted: readonly ReleaseImage[],
  sources: Sources,
  options: { source: ImageSource; platform: Platform },
  signal?: AbortSignal,
): Promise<ResolvedImage[]> {
  const limit = limiter(parallel);
  return allOrNone(signal, (stop) =>
    wanted.map(({ name, source, where }) =>
      limit(async () => {
        stop.throwIfAborted();
        const from = await sources.open(source ?? options.source);
        try {
          return await resolveImage(from, name, options.platform, stop);
        } catch (error) {
          throw withLocation(error, where);
        }
      }),
    ),
  );
}

export async function collectImages(
  resolved: readonly ResolvedImage[],
  wanted: readonly ReleaseImage[],
  options: { cacheDirectory: string },
  host: { listener: Listener; now(): number; signal?: AbortSignal | undefined },
) {
  const start = host.now();
  const total = resolved
    .flatMap(({ layers }) => layers)
    .reduce((sum, layer) => sum + (layer.kind === 'stored' ? layer.descriptor.size : 0), 0);
  let bytes = 0;
  const cache = new BlobCache(options.cacheDirectory, (more) => {
    bytes += more;
    host.listener({ type: 'progress', step: 'blobs', bytes, total: total > 0 ? Math.max(total, bytes) : undefined });
  });
  const limit = limiter(parallel);
  const layers = resolved
    .flatMap((image) => image.layers)
    .flatMap((layer) => (layer.kind === 'stored' ? layer.descriptor.digest : []));
  const collected = await cleaningUp(cache, layers, () =>
    allOrNone(host.signal, (stop) =>
      resolved.map((image, index) => collectImage(image, cache, wanted[index]?.usedBy ?? [], limit, stop)),
    ),
  );
  const blobs = new Map(collected.flatMap((image) => image.blobs).map((blob) => [blob.digest, blob.size]));
  const size = [...blobs.values()].reduce((sum, one) => sum + one, 0);
  return { collected, cache, summary: blobsSummary(blobs.size, size, cache.statistics, host.now() - start) };
}

function withLocation(error: unknown, where: string): unknown {
  if (!isAirdockError(error)) return error;
  return new AirdockError(error.code, `${error.message} (used by ${where})`, {
    hint: error.hint,
    details: { ...error.details, askedBy: where },
    cause: error.cause,
  });
}
