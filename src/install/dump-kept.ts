import path from 'node:path';
import { databases, fence, type Cluster } from '../database/admin.ts';
import { backupDatabase } from '../database/backup.ts';
import { openFor } from '../database/open-for.ts';
import { isAirdockError } from '../errors.ts';
import { ensureDirectory } from '../io/files.ts';
import { bytesText } from '../units.ts';
import { nextBackupId } from './backup-id.ts';
import type { ManagedSite } from './site.ts';
import type { KeptDatabase } from './state.ts';
import { clusterOf } from './swap-record.ts';

/**
 * Dumps what was put aside and has no dump yet, while users are served, so that dropping it one day loses nothing. No part of
 * a transaction: it is done. Failing, or an operator who does not want to wait, is a warning, and the next one tries again.
 */
export async function dumpKept(site: ManagedSite): Promise<void> {
  for (const kept of site.state.keptDatabases()) if (kept.backup === null) await dump(site, kept);
}

async function dump(site: ManagedSite, kept: KeptDatabase): Promise<void> {
  const { listener, signal } = site.host;
  const started = performance.now();
  const step = 'keep';
  listener({ type: 'step-started', step });
  let outcome: 'done' | 'failed' = 'failed';
  let summary = '';
  try {
    const cluster = await clusterOfKept(site, kept);
    const folder = path.join(site.airdock, 'backups');
    await ensureDirectory(folder);
    const id = await nextBackupId(folder, site.host.clock());
    const made = await openFor(cluster, kept, () =>
      backupDatabase({
        ...cluster,
        database: kept.name,
        directory: path.join(folder, id),
        release: kept.release,
        signal,
        onProgress: (bytes) => listener({ type: 'progress', step, bytes }),
      }),
    );
    site.state.setKeptBackup(kept.name, id);
    summary = `${kept.name} dumped as ${id}: ${bytesText(made.bytes)}, read back in full`;
    outcome = 'done';
  } catch (error) {
    summary = `${kept.name} is kept, without a dump of it: ${error instanceof Error ? error.message : String(error)}`;
  } finally {
    listener({ type: 'step-ended', step, outcome, summary, milliseconds: performance.now() - started });
  }
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

export function clusterOfKept(site: ManagedSite, { transaction }: KeptDatabase): Promise<Cluster> {
  const current = site.state.deployment()?.current ?? '';
  return clusterOf(site, { id: transaction, from: null, to: current });
}
