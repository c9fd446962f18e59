import path from 'node:path';
import { databases, fence } from '../../data/postgres/swap/admin.ts';
import { openFor } from '../../data/postgres/swap/open-for.ts';
import { readBackup } from '../../data/postgres/backup/stored-backup.ts';
import { errorText, isAirdockError } from '../../errors.ts';
import { bytesText } from '../../units.ts';
import { backupsFolder } from '../backups/list.ts';
import { makeBackup } from '../backups/make.ts';
import { checkedBackup, proveIn } from '../../data/postgres/backup/prove.ts';
import { assertDiskToProve } from '../plan/preflight/disk.ts';
import { withScratch } from '../scratch/server.ts';
import type { ManagedSite } from '../site/site.ts';
import type { KeptDatabase } from '../state/state.ts';
import { asStep } from '../../events.ts';
import { postgresServerOfKept } from '../database/swap-record.ts';
import type { Progress } from '../../events.ts';

/**
 * Dumps kept databases that have no dump yet, and proves the dumps, while users are served, so that dropping these databases
 * later loses nothing. This runs after a transaction and is not part of it. A failure or an interruption gives a warning; the next
 * transaction tries again.
 * @param prove false: no throwaway server may run on this machine (`--no-rehearsal`)
 */
export async function dumpKept(site: ManagedSite, prove: boolean): Promise<void> {
  for (const kept of site.state.keptDatabases()) if (kept.backup === null) await dump(site, kept, prove);
}

async function dump(site: ManagedSite, kept: KeptDatabase, prove: boolean): Promise<void> {
  const { listener, signal } = site.host;
  const work = async (onProgress: Progress) => {
    const server = await postgresServerOfKept(site, kept);
    const { applicationName } = server;
    const { release, schemaRelease } = kept;
    const { id, bytes } = await openFor(server, kept, () =>
      makeBackup(site, { ...server, database: kept.name }, { applicationName, release, schemaRelease, signal, onProgress }),
    );
    site.state.setKeptBackup(kept.name, id);
    dumpState = `dumped as ${id}, but not proven`;
    const proven = prove ? `, proven by a restore of ${await proveDump(site, id, onProgress)} tables` : '';
    return { summary: `${kept.name} dumped as ${id}: ${bytesText(bytes)}, read back in full${proven}` };
  };
  let dumpState = 'without a dump';
  const failureText = (error: unknown) => `${kept.name} is kept, ${dumpState}: ${errorText(error)}`;
  await asStep(listener, 'keep', work, failureText).catch(() => {});
}

/** @returns how many tables were compared */
async function proveDump(site: ManagedSite, id: string, onProgress: Progress): Promise<number> {
  const { signal } = site.host;
  const stored = await readBackup(path.join(backupsFolder(site), id));
  await assertDiskToProve(site, stored.metadata);
  const backup = await checkedBackup(site, stored, signal);
  return withScratch(site, { service: stored.metadata.service, signal }, async (scratch) => {
    const { restoredFingerprint: found } = await proveIn(site, scratch, backup, { signal, onProgress });
    return Object.keys(found.tables).length;
  });
}

/** Fences all kept databases: a process that died while it read one left it open. The caller holds the lock. */
export async function fenceKept(site: ManagedSite): Promise<void> {
  const list = site.state.keptDatabases();
  const [first] = list;
  if (!first) return;
  try {
    const server = await postgresServerOfKept(site, first);
    const existing = await databases(server);
    for (const { name, oid } of list)
      if (existing.some((database) => database.oid === oid && database.name === name)) await fence(server, name);
  } catch (error) {
    // if the server does not answer, the preflight reports it
    if (!isAirdockError(error)) throw error;
  }
}
