import path from 'node:path';
import { readdir } from 'node:fs/promises';
import semver from 'semver';
import { AirdockError, isAirdockError } from '../../errors.ts';
import { warnOnFailure } from '../../events.ts';
import { readIfExists, removeTemporaries } from '../../io/files.ts';
import { liveDatabase } from '../database/assert-swapped.ts';
import { fenceKept } from '../kept-databases/dump.ts';
import { removeSpool } from '../kept-databases/rows-left-aside.ts';
import { endLooseWork, endOrphans } from './leftovers.ts';
import { placeSelf } from '../site/placed-program.ts';
import { planDocument, type Plan } from '../plan/document.ts';
import type { StepId } from '../plan/order.ts';
import { runForward } from './run.ts';
import { taggedSite, type ManagedSite } from '../site/site.ts';
import { useHint } from '../state/open-state.ts';
import { readStoredRelease } from '../store/release.ts';
import { removeSnapshots } from '../staging/switch-files.ts';
import { type Transaction } from './transaction.ts';
import { folderOf } from '../state/names.ts';
import type { TransactionRecord } from '../state/journal.ts';
import { undo } from './undo.ts';
import { undoAdoption } from './undo-adoption.ts';
import { writeReport } from '../site/report.ts';

export type Recovered = {
  transaction: number;
  kind: TransactionRecord['kind'];
  to: string;
  outcome: 'done' | 'undone' | 'rolled-back';
};

/**
 * Finishes or undoes the transaction that was interrupted (docs/adr/0001-transaction.md, "Recovery"). Under the lock.
 * @returns what became of it; undefined when there was none
 */
export async function recover(site: ManagedSite): Promise<Recovered | undefined> {
  await fenceKept(site);
  await removeSpool(site);
  const record = site.journal.open();
  const recovered = record && (await settle(site, record));
  if (!record) await endLooseWork(site);
  await sweep(site);
  return recovered;
}

async function settle(site: ManagedSite, record: TransactionRecord): Promise<Recovered> {
  assertMayGoOn(site, record);
  await placeSelf(site);
  site.host.listener({
    type: 'note',
    text: `transaction ${record.id} (${record.kind} ${record.to}) was interrupted; putting that right first`,
  });
  const ended = (outcome: Recovered['outcome']): Recovered => ({
    transaction: record.id,
    kind: record.kind,
    to: record.to,
    outcome,
  });
  await endOrphans(site, record.id);
  if (record.kind === 'adopt') {
    await undoAdoption(site, record);
    return ended('undone');
  }
  const plan = await readPlan(site, record.id);
  if (await goesForward(site, record)) {
    const transaction = await reopen(site, record, plan);
    try {
      await runForward(transaction, remaining(transaction));
      return ended('done');
    } catch (error) {
      if (isAirdockError(error, 'OPEN_BUT_UNHEALTHY')) throw error;
      const after = site.journal.all().find((one) => one.id === record.id);
      if (after?.outcome) return ended(after.outcome); // it was undone in an orderly way, and said so
      throw error;
    }
  }
  const { outcome } = await undo(site, record, plan, new AirdockError('INTERRUPTED', record.error ?? 'airdock was killed'));
  await writeReport(site, record.id);
  return ended(outcome);
}

/** A newer airdock's plan and steps may mean what this one does not know. @throws AirdockError STATE_TOO_NEW */
function assertMayGoOn(site: ManagedSite, { id, kind, to, program }: TransactionRecord): void {
  if (program === null || !semver.gt(program, site.host.program.version)) return;
  throw new AirdockError(
    'STATE_TOO_NEW',
    `transaction ${id} (${kind} ${to}) was begun by airdock ${program} and is not finished; this is airdock ${site.host.program.version}`,
    { hint: useHint(site.airdock, program) },
  );
}

/**
 * By the journal, and by a look at the database where one was swapped: what the journal says of it may not have reached the
 * disk of the server (docs/adr/0008-irreversible.md, "Recovery").
 */
async function goesForward(site: ManagedSite, record: TransactionRecord): Promise<boolean> {
  if (record.direction !== 'forward' || !site.journal.has(record.id, 'switch', 'intent')) return false;
  const side = await liveDatabase(site, record);
  if (side === 'none' || side === 'new') return true;
  if (side === 'old' && !site.journal.has(record.id, 'good', 'done')) return false;
  throw new AirdockError(
    'UNDO_FAILED',
    `the database that serves is ${side === 'old' ? 'the old one' : 'neither the old nor the new one'}, and transaction ${record.id} had put the new one in place`,
    {
      hint: 'Nothing was touched. Look at SELECT oid, datname FROM pg_database and at the report of the transaction, give the right database its name, then run: airdock resume',
    },
  );
}

/** From the switch on, every step may be repeated, up to `good`. Images first: somebody may have pruned them since. */
function remaining({ site, record, plan }: Transaction): StepId[] {
  const ids = plan.steps.map((step) => step.id);
  const first = site.journal.has(record.id, 'good', 'done') ? ids.indexOf('good') + 1 : ids.indexOf('switch');
  return ['load', ...ids.slice(first)];
}

async function readPlan(site: ManagedSite, id: number): Promise<Plan | undefined> {
  const bytes = await readIfExists(path.join(folderOf(site, id), 'plan.json'));
  return bytes && planDocument.parse(JSON.parse(bytes.toString()));
}

async function reopen(site: ManagedSite, record: TransactionRecord, plan: Plan | undefined): Promise<Transaction> {
  const stored = site.state.release(record.to);
  if (!plan || !stored) throw new AirdockError('INTERNAL', `transaction ${record.id} has lost its plan`);
  const target = await readStoredRelease(site.store, stored);
  const names = target.manifest.images.flatMap((image) => {
    const planned = plan.images.find((one) => one.reference === image.reference);
    return planned ? [{ image, name: planned.name, private: planned.private }] : [];
  });
  return { site: taggedSite(site, record.id), record, plan, target, names };
}

/** Folders of ended transactions hold no secrets; a kill between the outcome and the clean-up may have left some, and half a file. */
async function sweep(site: ManagedSite): Promise<void> {
  for (const id of await readdir(path.join(site.airdock, 'transactions')).catch(() => [])) {
    await removeSnapshots(site, Number(id));
    await removeHalves(site, folderOf(site, Number(id)));
  }
  for (const directory of [site.directory, site.airdock]) await removeHalves(site, directory);
}

async function removeHalves(site: ManagedSite, directory: string): Promise<void> {
  await warnOnFailure(site.host.listener, `what was half written in ${directory} could not be removed`, () =>
    removeTemporaries(directory),
  );
}
