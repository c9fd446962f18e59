import path from 'node:path';
import { blobsOf } from '../../bundle/layout.ts';
import { removeTree } from '../../io/files.ts';
import { warnOnFailure } from '../../events.ts';
import { backupsFolder, backupsToDrop, liveBackups } from '../backups/list.ts';
import { carriesVersion } from '../images/names.ts';
import { installerOf } from '../site/installer.ts';
import type { ManagedSite } from '../site/site.ts';
import type { StoredRelease } from '../state/state.ts';
import { pruneKept } from '../kept-databases/prune.ts';

/** Releases to keep besides the current one (docs/OPERATIONS.md section 1). */
const keptReleases = 2;
const keptBackups = 5;

/**
 * Cleans up after a good transaction: removes older releases, blobs that no kept release has, their names on the engine, and older
 * backups. A failure is only a warning, because the release serves.
 */
export async function prune(site: ManagedSite): Promise<void> {
  await warnOnFailure(site.host.listener, 'old releases could not be removed', async () => {
    for (const release of releasesToDrop(site)) await dropRelease(site, release);
    await site.store.pruneBlobs(
      site.state
        .releases()
        .flatMap(({ manifest }) => [...blobsOf(manifest.images), ...installerOf(manifest)].map((blob) => blob.digest)),
    );
    await pruneKept(site);
    await pruneBackups(site);
  });
}

/** Releases that were never good here, and all but the last good ones. */
function releasesToDrop({ state }: ManagedSite): StoredRelease[] {
  const current = state.deployment()?.current;
  const others = state.releases().filter((release) => release.version !== current);
  const good = others
    .filter((release) => release.goodAt !== null)
    .toSorted((a, b) => String(b.goodAt).localeCompare(String(a.goodAt)));
  const kept = new Set(good.slice(0, keptReleases));
  return others.filter((release) => !kept.has(release));
}

async function dropRelease(site: ManagedSite, { version, manifest }: StoredRelease): Promise<void> {
  site.state.removeRelease(version);
  await site.store.removeRelease(version);
  const used = new Set((await site.docker.containers()).map((container) => container.image));
  for (const { reference } of manifest.images)
    if (carriesVersion(reference, version) && !used.has(reference)) await site.docker.removeImageTag(reference);
}

async function pruneBackups(site: ManagedSite): Promise<void> {
  for (const id of backupsToDrop(await liveBackups(site), keptBackups)) await removeTree(path.join(backupsFolder(site), id));
}
