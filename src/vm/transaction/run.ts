import { AirdockError, isAirdockError } from '../../errors.ts';
import type { Outcome } from '../state/journal.ts';
import { hasStep, type StepId } from '../plan/order.ts';
import { prune } from './prune.ts';
import { writeReport } from '../site/report.ts';
import type { ManagedSite } from '../site/site.ts';
import { dumpKept } from '../kept-databases/dump.ts';
import { removeSnapshots } from '../staging/switch-files.ts';
import { endGood } from './end-good.ts';
import { asFailure, runStep } from './run-step.ts';
import { steps } from './steps.ts';
import type { Transaction } from './transaction.ts';
import { undo, type Undone } from './undo.ts';

export type Finished = { transaction: number; outcome: Outcome; seconds: Record<string, number> };

/**
 * Runs steps forward. A failure undoes everything.
 * @throws the first error, or UNDO_FAILED when the old version did not come back (the transaction then stays open for `airdock resume`)
 */
export async function runForward(transaction: Transaction, ids: readonly StepId[]): Promise<Finished> {
  const { site, record } = transaction;
  const seconds: Record<string, number> = {};
  try {
    for (const id of ids) seconds[id] = await runStep(afterGood(transaction), steps[id]);
  } catch (error) {
    const good = site.journal.has(record.id, 'good', 'done');
    // An engine that does not answer says nothing about the release: recovery continues from here.
    if ((good || transaction.signal === undefined) && isAirdockError(error, 'ENGINE_UNREACHABLE')) throw error;
    if (good) throw await openButUnhealthy(transaction, error);
    const failure = asFailure(error, transaction.signal);
    const undone = await undo(site, record, transaction.plan, failure);
    const report = await writeReport(site, record.id, failure);
    throw withOutcome(failure, site, record.id, undone, report);
  }
  if (site.journal.open()) site.state.commit(() => endGood(transaction));
  await removeSnapshots(site, record.id);
  await writeReport(site, record.id);
  await dumpKept(site, hasStep(transaction.plan, 'rehearse'));
  await prune(site);
  return { transaction: record.id, outcome: 'done', seconds };
}

/** After `good` nothing is undone, so nothing may be interrupted half way either: the transaction without its signal. */
function afterGood(transaction: Transaction): Transaction {
  if (!transaction.site.journal.has(transaction.record.id, 'good', 'done')) return transaction;
  const { signal: _signal, ...rest } = transaction;
  return rest;
}

/** Users were let in and may have written, so a person decides what to do (docs/adr/0008-irreversible.md). */
async function openButUnhealthy({ site, record }: Transaction, error: unknown): Promise<AirdockError> {
  const failure = asFailure(error, undefined);
  site.journal.end(record.id, 'done', failure.message);
  await removeSnapshots(site, record.id);
  const report = await writeReport(site, record.id, failure);
  return new AirdockError('OPEN_BUT_UNHEALTHY', `${record.to} is in place and was opened to users, but: ${failure.message}`, {
    hint: `airdock does not go back by itself now, because users may have written. Correct the cause (docker compose ps, docker compose up -d), or go back: airdock rollback ${record.from ?? ''} --restore-database (it first shows which rows would be put aside)\n  report: ${report}`,
    cause: error,
    details: { ...failure.details, transaction: record.id, outcome: 'done', serving: record.to, report },
  });
}

/** The first error, completed with what serves now and what to do next. */
function withOutcome(failure: AirdockError, site: ManagedSite, id: number, undone: Undone, report: string): AirdockError {
  const { product, current } = site.state.deployment() ?? { product: null, current: null };
  const backupId = site.journal.all().find((record) => record.id === id)?.backup ?? null;
  const kept = backupId === null ? '' : ` The backup ${backupId} was kept.`;
  const state = current === null ? `Nothing is installed: ${undone.summary}.` : `${product ?? site.project} ${undone.summary}.`;
  return new AirdockError(failure.code, `${failure.message}\n${state}${kept}`, {
    hint: `${failure.hint ?? 'Run the same command again, or keep what serves now.'}\n  report: ${report}`,
    cause: failure.cause,
    details: { ...failure.details, transaction: id, outcome: undone.outcome, serving: current, backup: backupId, report },
  });
}
