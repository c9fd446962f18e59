import path from 'node:path';
import { blobsOf } from '../../bundle/layout.ts';
import { databases, dropDatabase } from '../../data/postgres/swap/admin.ts';
import { removeTree } from '../../io/files.ts';
import { afterwards } from './afterwards.ts';
import { backupsFolder, backupsToDrop, liveBackups } from '../backups/list.ts';
import { clusterOfKept } from '../kept-databases/dump.ts';
import { carriesVersion } from '../images/names.ts';
import { installerOf } from '../site/installer.ts';
import type { ManagedSite } from '../site/site.ts';
import type { StoredRelease } from '../state/state.ts';

/** Besides the current one; the design asks for two in all. */
const keptReleases = 2;
const keptBackups = 5;

/**
 * After a transaction that became good: older releases, blobs that no kept release has, their names on the engine, older
 * backups. A failure here is a warning: the release serves.
 */
export async function prune(site: ManagedSite): Promise<void> {
  await afterwards(site, 'old releases could not be removed', async () => {
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

/** Those that never became good here, and the good ones beyond the last few. */
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

/** What an upgrade put aside, once its release is dropped and there is a dump. What a rollback put aside holds what users wrote. */
async function pruneKept(site: ManagedSite): Promise<void> {
  const releases = new Set(site.state.releases().map((release) => release.version));
  const upgrades = site.journal.all().filter(({ kind, outcome }) => kind === 'upgrade' && outcome === 'done');
  for (const kept of site.state.keptDatabases()) {
    if (kept.backup === null || releases.has(kept.release) || !upgrades.some(({ id }) => id === kept.transaction)) continue;
    const cluster = await clusterOfKept(site, kept);
    if ((await databases(cluster)).some((one) => one.oid === kept.oid && one.name === kept.name))
      await dropDatabase(cluster, kept.name);
    site.state.forgetKept(kept.name);
  }
}

async function pruneBackups(site: ManagedSite): Promise<void> {
  for (const id of backupsToDrop(await liveBackups(site), keptBackups)) await removeTree(path.join(backupsFolder(site), id));
}
