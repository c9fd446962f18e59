import { dockerArchive } from '../../bundle/archive.ts';
import { AirdockError } from '../../errors.ts';
import { carriesVersion, idOnStore, type NamedImage } from './names.ts';
import { loadImages, type LoadReport } from './load-images.ts';
import type { ManagedSite, Records } from '../site/site.ts';
import type { ImageRecord } from '../../bundle/manifest.ts';

type LoadOptions = { signal?: AbortSignal | undefined; onProgress?: (bytes: number, total: number) => void };

/** Makes sure that the engine has these images of the store under their names; loads only what is missing. */
export async function loadRelease(
  site: ManagedSite,
  version: string,
  images: readonly NamedImage[],
  options: LoadOptions = {},
): Promise<LoadReport> {
  await assertNamesOurs(site, version, images);
  return loadImages({
    images,
    docker: site.docker,
    known: knownImages(site),
    archive: (chosen, omit) => archiveOf(site, chosen, omit),
    signal: options.signal,
    onProgress: options.onProgress,
  });
}

function archiveOf(site: ManagedSite, chosen: readonly NamedImage[], omit: ReadonlySet<string>): AsyncIterable<Buffer> {
  const names = new Map(chosen.map((entry) => [entry.image, entry.name]));
  return dockerArchive({
    images: chosen.map((entry) => entry.image),
    nameOf: (image) => names.get(image),
    leaveOut: (digest) => omit.has(digest),
    openBlob: (digest) => site.store.streamBlob(digest),
  });
}

/**
 * A fixed name (`postgres:15`) was chosen because it meant the signed image when the plan was made. If somebody moved the name in
 * the meantime, a load must not move it back.
 */
async function assertNamesOurs(site: ManagedSite, version: string, images: readonly NamedImage[]): Promise<void> {
  const { store } = await site.docker.info();
  for (const { image, name, private: isPrivate } of images) {
    if (isPrivate || carriesVersion(image.reference, version)) continue;
    if ((await site.docker.inspectImage(name))?.id === idOnStore(image, store)) continue;
    throw new AirdockError('LOAD_FAILED', `the name ${name} was given to another image while the transaction ran`, {
      hint: 'Run the same command again: airdock will then use its own name for the image.',
    });
  }
}
/** Images of kept releases. The containerd store does not list an image's compressed layers; these records do. */
export function knownImages(records: Pick<Records, 'state'> | undefined): ImageRecord[] {
  return (records?.state.releases() ?? []).flatMap((release) => release.manifest.images);
}
