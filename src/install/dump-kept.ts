import { databases, fence } from '../database/admin.ts';
import { openFor } from '../database/open-for.ts';
import { isAirdockError } from '../errors.ts';
import { bytesText } from '../units.ts';
import { makeBackup } from './make-backup.ts';
import type { ManagedSite } from './site.ts';
import type { KeptDatabase } from './state.ts';
import { asStep } from './step-events.ts';
import { clusterOf, type SiteCluster } from './swap-record.ts';
import type { Progress } from './transaction.ts';

/**
 * Dumps what was put aside and has no dump yet, while users are served, so that dropping it one day loses nothing. No part of
 * a transaction: it is done. Failing, or an operator who does not want to wait, is a warning, and the next one tries again.
 */
export async function dumpKept(site: ManagedSite): Promise<void> {
  for (const kept of site.state.keptDatabases()) if (kept.backup === null) await dump(site, kept);
}

async function dump(site: ManagedSite, kept: KeptDatabase): Promise<void> {
  const { listener, signal } = site.host;
  const work = async (onProgress: Progress) => {
    const cluster = await clusterOfKept(site, kept);
    const { applicationName } = cluster;
    const { release, schemaRelease } = kept;
    const { id, bytes } = await openFor(cluster, kept, () =>
      makeBackup(site, { ...cluster, database: kept.name }, { applicationName, release, schemaRelease, signal, onProgress }),
    );
    site.state.setKeptBackup(kept.name, id);
    return { summary: `${kept.name} dumped as ${id}: ${bytesText(bytes)}, read back in full` };
  };
  const sad = (error: unknown) =>
    `${kept.name} is kept, without a dump of it: ${error instanceof Error ? error.message : String(error)}`;
  await asStep(listener, 'keep', work, sad).catch(() => {});
}

/** A process that died while it read a kept database left it open: whoever has the lock shuts it first. */
export async function fenceKept(site: ManagedSite): Promise<void> {
  const list = site.state.keptDatabases();
  const [first] = list;
  if (!first) return;
  try {
    const cluster = await clusterOfKept(site, first);
    const there = await databases(cluster);
    for (const { name, oid } of list) if (there.some((one) => one.oid === oid && one.name === name)) await fence(cluster, name);
  } catch (error) {
    // a server that is away is for the preflight to say
    if (!isAirdockError(error)) throw error;
  }
}

export function clusterOfKept(site: ManagedSite, { transaction }: KeptDatabase): Promise<SiteCluster> {
  const current = site.state.deployment()?.current ?? '';
  return clusterOf(site, { id: transaction, from: null, to: current });
}
