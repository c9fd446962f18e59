import { setTimeout as sleep } from 'node:timers/promises';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { AirdockError, errorText, isAirdockError } from '../../errors.ts';
import { nextName } from '../../data/postgres/swap/swap-names.ts';
import { asStep } from '../../events.ts';
import { waitHealthy } from '../services/health.ts';
import type { Outcome, TransactionRecord } from '../state/journal.ts';
import { loadRelease } from '../images/load-release.ts';
import { imageNamesHere } from '../images/names.ts';
import { endLeftovers } from './leftovers.ts';
import type { Plan } from '../plan/document.ts';
import { databaseServiceOf } from '../../bundle/manifest.ts';
import { bringUp, removeServices } from '../services/bring-up.ts';
import { readEnvOrEmpty, type ManagedSite } from '../site/site.ts';
import { startServices } from '../services/compose-up.ts';
import type { StoredRelease } from '../state/state.ts';
import { quiesceOf, swapOf } from '../database/swap-record.ts';
import { removeSnapshots, writeSnapshot, snapshotDigest } from '../staging/switch-files.ts';
import { readStoredRelease } from '../store/release.ts';
import { dropOrKeepNext, swapDatabaseBack, removeCode } from './undo-database.ts';

/** `summary` says what serves now. */
export type Undone = { outcome: Outcome; summary: string };

/**
 * Undoes a transaction. After the switch it brings the old version back; before, there is little to do. The signal that may have
 * caused the undo does not interrupt it. May be repeated (docs/adr/0001-transaction.md, "Recovery").
 * @throws AirdockError UNDO_FAILED; the transaction then stays open
 */
export async function undo(
  site: ManagedSite,
  record: TransactionRecord,
  plan: Plan | undefined,
  failure: Error,
): Promise<Undone> {
  const switched = site.journal.has(record.id, 'switch', 'intent');
  const quiesced = site.journal.has(record.id, 'quiesce', 'intent');
  const swap = swapOf(site, record.id);
  const composeDigest = await snapshotDigest(site, record.id, 'before');
  site.state.commit(() => {
    site.journal.turnToUndo(record.id, failure.message);
    if (swap) site.state.updateDeployment({ schemaRelease: swap.schemaRelease });
    if (switched)
      site.state.updateDeployment({ current: record.from, phase: record.from === null ? 'none' : 'good', composeDigest });
  });
  const outcome: Outcome = switched || quiesced ? 'rolled-back' : 'undone';
  const work = async (): Promise<{ summary: string }> => {
    await waitForEngine(site);
    await endLeftovers(site, record.id);
    const summary = switched || quiesced ? await bringBack(site, record, plan) : await unchanged(site, record);
    site.state.commit(() => {
      site.journal.record(record.id, 'undo', 'done', { summary });
      site.journal.end(record.id, outcome);
    });
    await removeSnapshots(site, record.id);
    return { summary };
  };
  try {
    const { summary } = await asStep(site.host.listener, 'undo', work, errorText);
    return { outcome, summary };
  } catch (error) {
    const message = `${failure.message}\nand the previous state could not be brought back: ${errorText(error)}`;
    throw new AirdockError('UNDO_FAILED', message, {
      hint: 'Find the cause (docker compose ps, docker compose logs), correct it, then run: airdock resume',
      cause: error,
    });
  }
}

async function unchanged(site: ManagedSite, record: TransactionRecord): Promise<string> {
  await dropNext(site, record);
  const current = site.state.deployment()?.current;
  return current ? `${current} is serving, untouched` : 'nothing was installed';
}

async function bringBack(site: ManagedSite, record: TransactionRecord, plan: Plan | undefined): Promise<string> {
  if (record.from === null) return takeBackFirstInstall(site);
  const previous = site.state.release(record.from);
  if (!previous) throw new AirdockError('INTERNAL', `no record of ${record.from}`);
  if (plan && plan.added.length > 0) await removeServices(site, plan.added);
  await removeCode(site, record);
  await writeSnapshot(site, record.id, 'before', (plan?.env.generated.length ?? 0) > 0);
  await loadPrevious(site, previous);
  const compose = await site.compose();
  const database = databaseServiceOf(previous.manifest);
  if (database !== undefined && site.journal.has(record.id, 'database-service', 'intent'))
    await startServices(site, compose, [database], { noDeps: true });
  await swapDatabaseBack(site, record);
  const services = await bringUp(site, compose, previous.manifest, { scale: quiesceOf(site, record.id)?.services ?? {} });
  const env = await readEnvOrEmpty(site.directory);
  await waitHealthy({ site, manifest: previous.manifest, env, services });
  await dropNext(site, record);
  return `${record.from} is serving again`;
}

/** Drops the database of the transaction. The old version serves already, so a failure is only a warning. */
async function dropNext(site: ManagedSite, record: TransactionRecord): Promise<void> {
  await dropOrKeepNext(site, record).catch((error: unknown) => {
    const text = `the database ${nextName(record.id)}, which is no longer needed, could not be dropped: ${errorText(error)}`;
    site.host.listener({ type: 'warning', text });
  });
}

/** Loads the images of the old release from the store, because they may have been pruned. */
async function loadPrevious(site: ManagedSite, previous: StoredRelease): Promise<void> {
  const release = await readStoredRelease(site.store, previous);
  const containers = await site.docker.containers({ project: site.project });
  const names = await imageNamesHere(release, await site.docker.info(), site, containers);
  await loadRelease(site, previous.version, names);
}

/** Removes the containers of a first install. Volumes and .env stay, because the volumes need the generated secrets. */
async function takeBackFirstInstall(site: ManagedSite): Promise<string> {
  const containers = await site.docker.containers({ project: site.project });
  for (const container of containers) await site.docker.removeContainer(container.id);
  await rm(path.join(site.directory, 'compose.yaml'), { force: true });
  return 'its containers were removed; .env and the volumes stay for the next try';
}

async function waitForEngine(site: ManagedSite): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await site.docker.ping();
    } catch (error) {
      if (!isAirdockError(error, 'ENGINE_UNREACHABLE') || attempt >= 60) throw error;
      await sleep(1000);
    }
  }
}
