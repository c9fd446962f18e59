import type { ImageRecord } from '../../bundle/manifest.ts';
import type { Docker, ImageStore } from '../../io/docker.ts';
import { idOnStore } from './names.ts';

/**
 * True when the container runs that image. On the containerd store an image that came by `docker save | docker load` has
 * another manifest, so another id, around the same layers (FACTS section 2).
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
