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
 * Dumps what was put aside and has no dump yet, and proves the dump, while users are served, so that dropping it one day loses
 * nothing. No part of a transaction: it is done. Failing, or an operator who does not want to wait, is a warning, and the next
 * one tries again.
 * @param prove false: this machine is to have no throwaway server (`--no-rehearsal`)
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
    made = `dumped as ${id}, and not proven`;
    const proven = prove ? `, proven by a restore of ${await proveDump(site, id, onProgress)} tables` : '';
    return { summary: `${kept.name} dumped as ${id}: ${bytesText(bytes)}, read back in full${proven}` };
  };
  let made = 'without a dump of it';
  const failureText = (error: unknown) => `${kept.name} is kept, ${made}: ${errorText(error)}`;
  await asStep(listener, 'keep', work, failureText).catch(() => {});
}

/** @returns how many tables were compared */
async function proveDump(site: ManagedSite, id: string, onProgress: Progress): Promise<number> {
  const { signal } = site.host;
  const stored = await readBackup(path.join(backupsFolder(site), id));
  await assertDiskToProve(site, stored.metadata);
  const backup = await checkedBackup(site, stored, signal);
  return withScratch(site, { service: stored.metadata.service, signal }, async (scratch) => {
    const { found } = await proveIn(site, scratch, backup, { signal, onProgress });
    return Object.keys(found.tables).length;
  });
}

/** A process that died while it read a kept database left it open: whoever has the lock shuts it first. */
export async function fenceKept(site: ManagedSite): Promise<void> {
  const list = site.state.keptDatabases();
  const [first] = list;
  if (!first) return;
  try {
    const server = await postgresServerOfKept(site, first);
    const there = await databases(server);
    for (const { name, oid } of list) if (there.some((one) => one.oid === oid && one.name === name)) await fence(server, name);
  } catch (error) {
    // a server that is away is for the preflight to say
    if (!isAirdockError(error)) throw error;
  }
}
