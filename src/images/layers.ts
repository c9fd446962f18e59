import type { LayerRecord } from '../bundle/manifest.ts';
import type { Digest } from '../digest.ts';
import { AirdockError } from '../errors.ts';
import type { BlobStore, StoredBlob } from './blob-store.ts';
import { gzipped, inflated, uncompressedSize } from './gzip.ts';
import { corrupt, type Descriptor } from './manifest.ts';
import { compressionOf, ociGzipLayer } from './media-types.ts';
import type { ImageName } from './reference.ts';
import type { ImageSource } from './source.ts';

/** A layer that is described, but not read yet. */
export type PendingLayer = { diffId: Digest } & (
  | { kind: 'stored'; descriptor: Descriptor }
  /** A layer to be compressed, so its digest is not known yet. */
  | { kind: 'raw'; open(): AsyncIterable<Buffer> }
);

/** ustar has eleven octal digits for a size (POSIX.1-1988). */
const layerLimit = 8 * 2 ** 30;

/** Decides how a layer of a manifest is collected. @throws AirdockError IMAGE_UNSUPPORTED, LAYER_TOO_LARGE */
export function pendingLayer(
  source: ImageSource,
  name: ImageName,
  descriptor: Descriptor,
  diffId: Digest,
  signal?: AbortSignal,
): PendingLayer {
  if (descriptor.size >= layerLimit) throw tooLarge(descriptor.digest, descriptor.size, name);
  const compression = compressionOf(descriptor.mediaType);
  if (compression === 'gzip') return { kind: 'stored', diffId, descriptor };
  if (compression === 'foreign' || compression === 'unknown') {
    throw new AirdockError('IMAGE_UNSUPPORTED', `${name.canonical} has a layer of type ${descriptor.mediaType}`, {
      hint: 'airdock carries only Linux images with standard layers.',
    });
  }
  if (source.origin === 'registry') {
    const how = compression === 'zstd' ? 'zstd, which Docker Engine 20.10 cannot load' : 'not compressed';
    throw new AirdockError(
      'IMAGE_UNSUPPORTED',
      `${name.canonical} has a layer that is ${how}; recompression would change its digest`,
      {
        hint: 'Push the image with gzip layers, e.g. docker buildx build --output type=image,compression=gzip,force-compression=true,push=true',
      },
    );
  }
  const open = () => inflated(source.blob(name, descriptor, { signal }));
  return { kind: 'raw', diffId, open };
}

/** Puts a layer into the store. @throws AirdockError LAYER_TOO_LARGE, SOURCE_CORRUPT and the errors of the source */
export async function collectLayer(
  source: ImageSource,
  name: ImageName,
  layer: PendingLayer,
  store: BlobStore,
  options: { signal?: AbortSignal | undefined },
): Promise<{ record: LayerRecord; blob: StoredBlob }> {
  if (layer.kind === 'stored') {
    const { digest, size, mediaType } = layer.descriptor;
    const what = `${source.label(name)}, layer ${digest} of ${name.canonical}`;
    const blob = await store.fetch({ digest, size }, (offset) => source.blob(name, { digest, size }, { offset, ...options }), {
      what,
      ...options,
    });
    const record = {
      digest,
      size,
      mediaType,
      diffId: layer.diffId,
      uncompressedSize: await uncompressedSize(blob, await blob.ends(), what),
    };
    return { record, blob };
  }
  const what = `${source.label(name)}, layer ${layer.diffId} of ${name.canonical}`;
  const compress = (): AsyncIterable<Buffer> =>
    gzipped(layer.open(), (found) => {
      if (found !== layer.diffId) throw corrupt(what, `its tar has the digest ${found}`);
    });
  const blob = await store.derive(`gzip6-${layer.diffId.slice(7)}`, compress, options);
  if (blob.size >= layerLimit) throw tooLarge(layer.diffId, blob.size, name);
  return {
    record: {
      digest: blob.digest,
      size: blob.size,
      mediaType: ociGzipLayer,
      diffId: layer.diffId,
      uncompressedSize: await uncompressedSize(blob, await blob.ends(), what),
    },
    blob,
  };
}

function tooLarge(digest: Digest, size: number, name: ImageName): AirdockError {
  return new AirdockError('LAYER_TOO_LARGE', `layer ${digest} of ${name.canonical} has ${size} bytes; 8 GiB is the limit`, {
    hint: 'Split the layer: several RUN or COPY instructions instead of one.',
  });
}
