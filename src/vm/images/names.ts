import type { BundleManifest, ImageRecord } from '../../bundle/manifest.ts';
import { hexOf, type Digest } from '../../digest.ts';
import { parseReference } from '../../images/reference.ts';
import type { EngineInfo, ContainerInfo, ImageStore, Docker } from '../../io/docker.ts';
import type { Release } from '../store/release.ts';
import type { Site } from '../site/site.ts';

/**
 * The names of the release's images on this engine. A private name that a container of this deployment uses stays, even if the
 * public name means the same image by now: a new name would recreate the container.
 */
export async function imageNamesHere(
  { manifest }: Release,
  engine: EngineInfo,
  site: Site,
  containers: readonly ContainerInfo[],
): Promise<NamedImage[]> {
  const chosen = await chooseNames(manifest, engine.store, async (reference) => (await site.docker.inspectImage(reference))?.id);
  return chosen.map((entry) => {
    const name = privateName(manifest.product, entry.image.reference, entry.image.manifestDigest);
    const inUse = containers.some(
      (container) => container.image === name && container.imageId === idOnStore(entry.image, engine.store),
    );
    return inUse ? { ...entry, name, private: true } : entry;
  });
}

/**
 * Whether the container runs the image. On the containerd store an image that came by `docker save | docker load` has
 * another manifest, and so another id, with the same layers (docs/FACTS.md "Image ids and names").
 */
export async function runsImage(
  container: { imageId: string },
  image: ImageRecord,
  store: ImageStore,
  docker: Pick<Docker, 'inspectImage'>,
): Promise<boolean> {
  if (container.imageId === idOnStore(image, store)) return true;
  if (store === 'classic') return false;
  const diffIds = (await docker.inspectImage(container.imageId))?.diffIds ?? [];
  return diffIds.length === image.layers.length && image.layers.every((layer, i) => layer.diffId === diffIds[i]);
}

/** An image of a release, and its name on this engine (docs/adr/0015-names-of-images.md). */
export type NamedImage = {
  image: ImageRecord;
  /** The canonical name on the engine and in compose.yaml. */
  name: string;
  /** A name under `airdock.invalid/…`, because other projects may use the image's own name. */
  private: boolean;
};

/** The id of the image that a name means on the engine; undefined when the engine does not have the name. */
export type EngineNames = (reference: string) => Promise<string | undefined>;

/** The image's id: config digest (classic store) or manifest digest (containerd store); docs/FACTS.md "Image ids and names". */
export function idOnStore(image: ImageRecord, store: ImageStore): Digest {
  return store === 'classic' ? image.configDigest : image.manifestDigest;
}

/**
 * Whether the tag is the version or contains it as a whole word: `0.3.0`, `v0.3.0`, `0.3.0-alpine`. False for a reference
 * with a digest, because an image cannot be loaded under such a name.
 */
export function carriesVersion(reference: string, version: string): boolean {
  const { tag, digest } = parseReference(reference);
  if (tag === undefined || digest !== undefined) return false;
  const escaped = version.replaceAll(/[.+-]/g, String.raw`\$&`);
  return new RegExp(String.raw`(^|[^0-9A-Za-z.])v?${escaped}($|[^0-9A-Za-z.])`).test(tag);
}

/** `airdock.invalid/<product>/<name>:<digest12>` of the manifest digest: a host that can never be pulled from (RFC 6761). */
export function privateName(product: string, reference: string, manifestDigest: Digest): string {
  const name = parseReference(reference).repository.split('/').at(-1) ?? 'image';
  return `airdock.invalid/${product}/${name}:${hexOf(manifestDigest).slice(0, 12)}`;
}

/** Chooses names. A fixed reference keeps its name only if the name means the signed image already: airdock never moves shared tags. */
export async function chooseNames(
  { product, version, images }: BundleManifest,
  store: ImageStore,
  engine: EngineNames,
): Promise<NamedImage[]> {
  const chosen: NamedImage[] = [];
  for (const image of images) {
    const { reference } = image;
    const keepsName = carriesVersion(reference, version) || (await engine(reference)) === idOnStore(image, store);
    chosen.push(
      keepsName
        ? { image, name: reference, private: false }
        : { image, name: privateName(product, reference, image.manifestDigest), private: true },
    );
  }
  return chosen;
}
