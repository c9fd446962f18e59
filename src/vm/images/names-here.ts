import type { ContainerInfo } from '../../io/container.ts';
import type { EngineInfo } from '../../io/docker.ts';
import { chooseNames, idOnStore, privateName, type NamedImage } from './names.ts';
import type { Release } from '../store/release.ts';
import type { Site } from '../site/site.ts';

/**
 * The names of the release's images here. A private name that a container of this deployment runs under stays, even when the
 * public one has come to mean the same image since: another name alone would recreate the container.
 */
export async function namesFor(
  { manifest }: Release,
  engine: EngineInfo,
  site: Site,
  containers: readonly ContainerInfo[],
): Promise<NamedImage[]> {
  const chosen = await chooseNames(manifest, engine.store, async (reference) => (await site.docker.inspectImage(reference))?.id);
  return chosen.map((entry) => {
    const name = privateName(manifest.product, entry.image.reference, entry.image.manifestDigest);
    const inUse = containers.some((one) => one.image === name && one.imageId === idOnStore(entry.image, engine.store));
    return inUse ? { ...entry, name, private: true } : entry;
  });
}
