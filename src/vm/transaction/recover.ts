import path from 'node:path';
import { readdir } from 'node:fs/promises';
import semver from 'semver';
import { AirdockError, isAirdockError } from '../../errors.ts';
import { warnOnFailure } from '../../events.ts';
import { readIfExists, removeTemporaries } from '../../io/files.ts';
import { liveDatabase } from '../database/assert-swapped.ts';
import { fenceKept } from '../kept-databases/dump.ts';
import { removeSpool } from '../kept-databases/rows-left-aside.ts';
import { endOtherLeftovers, endLeftovers } from './leftovers.ts';
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
 * Finishes or undoes an interrupted transaction (docs/adr/0001-transaction.md, "Recovery"). The caller holds the lock.
 * @returns its outcome; undefined when there was none
 */
export async function recover(site: ManagedSite): Promise<Recovered | undefined> {
  await fenceKept(site);
  await removeSpool(site);
  const record = site.journal.open();
  const recovered = record && (await settle(site, record));
  if (!record) await endOtherLeftovers(site);
  await removeTransactionFiles(site);
  return recovered;
}

async function settle(site: ManagedSite, record: TransactionRecord): Promise<Recovered> {
  assertKnownProgram(site, record);
  await placeSelf(site);
  site.host.listener({
    type: 'note',
    text: `transaction ${record.id} (${record.kind} ${record.to}) was interrupted; airdock finishes or undoes it first`,
  });
  const ended = (outcome: Recovered['outcome']): Recovered => ({
    transaction: record.id,
    kind: record.kind,
    to: record.to,
    outcome,
  });
  await endLeftovers(site, record.id);
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
      if (after?.outcome) return ended(after.outcome); // it failed, and was undone
      throw error;
    }
  }
  const { outcome } = await undo(site, record, plan, new AirdockError('INTERRUPTED', record.error ?? 'airdock was killed'));
  await writeReport(site, record.id);
  return ended(outcome);
}

/** An older airdock may misunderstand the plan and steps of a newer one. @throws AirdockError STATE_TOO_NEW */
function assertKnownProgram(site: ManagedSite, { id, kind, to, program }: TransactionRecord): void {
  if (program === null || !semver.gt(program, site.host.program.version)) return;
  throw new AirdockError(
    'STATE_TOO_NEW',
    `transaction ${id} (${kind} ${to}) was begun by airdock ${program} and is not finished; this is airdock ${site.host.program.version}`,
    { hint: useHint(site.airdock, program) },
  );
}

/**
 * Whether recovery goes forward. The journal decides; after a swap also the database, because the server may have lost the renames
 * that the journal has (docs/adr/0008-irreversible.md, "Recovery").
 */
async function goesForward(site: ManagedSite, record: TransactionRecord): Promise<boolean> {
  if (record.direction !== 'forward' || !site.journal.has(record.id, 'switch', 'intent')) return false;
  const holder = await liveDatabase(site, record);
  if (holder === 'none' || holder === 'new') return true;
  if (holder === 'old' && !site.journal.has(record.id, 'good', 'done')) return false;
  throw new AirdockError(
    'UNDO_FAILED',
    `the live database is ${holder === 'old' ? 'the old one' : 'neither the old nor the new one'}, although transaction ${record.id} had put the new one in place`,
    {
      hint: 'Nothing was touched. Look at SELECT oid, datname FROM pg_database and at the report of the transaction, rename the right database, then run: airdock resume',
    },
  );
}

/** The steps that recovery repeats: from the switch on, or after `good`. `load` comes first, because images may have been pruned. */
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
  if (!plan || !stored) throw new AirdockError('INTERNAL', `the plan of transaction ${record.id} is missing`);
  const target = await readStoredRelease(site.store, stored);
  const names = target.manifest.images.flatMap((image) => {
    const planned = plan.images.find((one) => one.reference === image.reference);
    return planned ? [{ image, name: planned.name, private: planned.private }] : [];
  });
  return { site: taggedSite(site, record.id), record, plan, target, names };
}

/** Removes what a kill before the clean-up left: saved files of ended transactions, which hold secrets, and half-written files. */
async function removeTransactionFiles(site: ManagedSite): Promise<void> {
  for (const id of await readdir(path.join(site.airdock, 'transactions')).catch(() => [])) {
    await removeSnapshots(site, Number(id));
    await removeHalfWritten(site, folderOf(site, Number(id)));
  }
  for (const directory of [site.directory, site.airdock]) await removeHalfWritten(site, directory);
}

async function removeHalfWritten(site: ManagedSite, directory: string): Promise<void> {
  await warnOnFailure(site.host.listener, `half-written files in ${directory} could not be removed`, () =>
    removeTemporaries(directory),
  );
}
