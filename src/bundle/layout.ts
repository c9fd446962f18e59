import { digestOf, type Digest } from '../digest.ts';
import { AirdockError } from '../errors.ts';
import { canonicalJson } from './canonical.ts';
import { encodeManifest } from './manifest-codec.ts';
import type { BundleManifest, ImageRecord } from './manifest.ts';
import { blobName, manifestName } from './names.ts';

/** What follows from `bundle.json`: the derived files and the order of entries (docs/FORMAT.md sections 5 and 6). */

type BlobKind = 'manifest' | 'config' | 'layer';
export type BlobRecord = { digest: Digest; size: number; kind: BlobKind };
export type ReleaseEntry = { name: string; digest: Digest; size: number; /** FORMAT.md 7. */ mayBeLeftOut: boolean };
/** The full name of an image in the layout; undefined for an image without a name. */
export type NameOf = (image: ImageRecord) => string | undefined;

/**
 * The blobs of images: manifests, then configs, then layers, each once, at its first place (FORMAT.md 6).
 * @throws BUNDLE_MANIFEST_INVALID when one digest has two sizes (FORMAT.md 4.3)
 */
export function blobsOf(images: readonly ImageRecord[]): BlobRecord[] {
  const blobs = new Map<Digest, BlobRecord>();
  const add = (kind: BlobKind, digest: Digest, size: number): void => {
    const known = blobs.get(digest);
    if (known && known.size !== size) {
      throw new AirdockError('BUNDLE_MANIFEST_INVALID', `bundle.json gives ${digest} two sizes (FORMAT.md 4.3)`);
    }
    if (!known) blobs.set(digest, { digest, size, kind });
  };
  for (const image of images) add('manifest', image.manifestDigest, image.manifestSize);
  for (const image of images) add('config', image.configDigest, image.configSize);
  for (const image of images) for (const layer of image.layers) add('layer', layer.digest, layer.size);
  return [...blobs.values()];
}

/** The reference without its digest, because a digest cannot be a tag. Undefined when the reference has no tag. */
export function fullName(image: ImageRecord): string | undefined {
  const [name = ''] = image.reference.split('@');
  return name.lastIndexOf(':') > name.lastIndexOf('/') ? name : undefined;
}

/** `oci-layout`, `index.json`, `manifest.json` (FORMAT.md 5). `install` passes another `nameOf` to load images under other names. */
export function derivedFiles(images: readonly ImageRecord[], nameOf: NameOf = fullName): Map<string, Buffer> {
  const manifests = images.map((image) => ({
    mediaType: image.manifestMediaType,
    digest: image.manifestDigest,
    size: image.manifestSize,
    annotations: annotationsOf(nameOf(image)),
  }));
  const archive = images.map((image) => {
    const name = nameOf(image);
    return {
      Config: blobName(image.configDigest),
      RepoTags: name === undefined ? null : [name],
      Layers: image.layers.map((layer) => blobName(layer.digest)),
    };
  });
  return new Map([
    ['oci-layout', canonicalJson({ imageLayoutVersion: '1.0.0' })],
    ['index.json', canonicalJson({ schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests })],
    ['manifest.json', canonicalJson(archive)],
  ]);
}

/**
 * The annotations that name an image: containerd reads the first, skopeo and others the second, and each takes only a
 * full name (docs/FACTS.md "The archive that every engine loads").
 */
function annotationsOf(name: string | undefined): Record<string, string> | undefined {
  return name === undefined ? undefined : { 'io.containerd.image.name': name, 'org.opencontainers.image.ref.name': name };
}

/** Every entry from `bundle.json` to the last blob, in order. */
export function releaseEntries(manifest: BundleManifest): ReleaseEntry[] {
  const small = (name: string, bytes: Buffer): ReleaseEntry => {
    return { name, digest: digestOf(bytes), size: bytes.length, mayBeLeftOut: false };
  };
  return [
    small(manifestName, encodeManifest(manifest)),
    ...manifest.files.map(({ path, digest, size, role }) => ({ name: path, digest, size, mayBeLeftOut: role === 'installer' })),
    ...[...derivedFiles(manifest.images)].map(([name, bytes]) => small(name, bytes)),
    ...blobsOf(manifest.images).map(({ digest, size, kind }) => {
      return { name: blobName(digest), digest, size, mayBeLeftOut: kind === 'layer' };
    }),
  ];
}

/** The bundle's one mtime, in seconds (FORMAT.md 1.1, 10). */
export function mtimeOf(manifest: BundleManifest): number {
  return Math.floor(Date.parse(manifest.created) / 1000);
}
