import { AirdockError, isAirdockError } from '../../errors.ts';
import { settleInstaller } from '../site/installer.ts';
import type { Outcome } from '../state/journal.ts';
import type { StepId } from '../plan/document.ts';
import { prune } from './prune.ts';
import { writeReport } from '../site/report.ts';
import type { ManagedSite } from '../site/site.ts';
import { backup } from './steps/backup.ts';
import { commitGood, endGood } from './steps/good.ts';
import { dumpKept } from '../kept-databases/dump.ts';
import { importRelease } from './steps/import.ts';
import { load } from './steps/load.ts';
import { migrate, prepareMigrate } from './steps/migrate.ts';
import { prepareQuiesce, quiesce } from './steps/quiesce.ts';
import { rehearse } from './steps/rehearse.ts';
import { prepareRestore, restore } from './steps/restore.ts';
import { health, recreateDatabase, startDependencies, up } from './steps/services.ts';
import { copy, prepareSwap, swap } from './steps/swap.ts';
import { prepareSwitch, switchFiles } from './steps/switch.ts';
import { externalHealth, openTraffic } from './steps/traffic.ts';
import { removeSnapshots } from '../staging/switch-files.ts';
import type { Progress } from '../../events.ts';
import type { Prepared, Transaction } from './transaction.ts';
import { assertSwapped } from '../database/assert-swapped.ts';
import { undo, type Undone } from './undo.ts';

/** Runs the steps of a transaction and keeps its journal (docs/adr/0001-transaction.md, "Steps"). */

type Step = {
  /** Looks before the intent. */
  prepare?: (transaction: Transaction) => Promise<Prepared>;
  /** The effect; may be repeated. The text is shown beside the step. */
  run: (transaction: Transaction, progress: Progress) => Promise<string>;
};

const steps: Record<Exclude<StepId, 'good'>, Step> = {
  import: { run: importRelease },
  load: { run: load },
  backup: { run: backup },
  rehearse: { run: rehearse },
  dependencies: { run: startDependencies },
  restore: { prepare: prepareRestore, run: restore },
  quiesce: { prepare: prepareQuiesce, run: quiesce },
  copy: { run: copy },
  migrate: { prepare: prepareMigrate, run: migrate },
  swap: { prepare: prepareSwap, run: swap },
  switch: { prepare: prepareSwitch, run: switchFiles },
  'database-service': { run: recreateDatabase },
  up: { run: up },
  health: { run: health },
  traffic: { run: openTraffic },
  external: { run: externalHealth },
};

export type Finished = { transaction: number; outcome: Outcome; seconds: Record<string, number> };

/**
 * Runs these steps forward. On a failure everything is undone; what is thrown is the first error, or UNDO_FAILED when the
 * old version did not come back (the transaction then stays open for `airdock resume`).
 */
export async function runForward(transaction: Transaction, ids: readonly StepId[]): Promise<Finished> {
  const { site, record } = transaction;
  const seconds: Record<string, number> = {};
  try {
    for (const id of ids) seconds[id] = await runStep(afterGood(transaction), id);
  } catch (error) {
    const good = site.journal.has(record.id, 'good', 'done');
    // An engine that is away says nothing about the release: recovery goes on where this stopped.
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
  await dumpKept(
    site,
    transaction.plan.steps.some(({ id }) => id === 'rehearse'),
  );
  await prune(site);
  return { transaction: record.id, outcome: 'done', seconds };
}

async function runStep(transaction: Transaction, id: StepId): Promise<number> {
  const { site, record, signal } = transaction;
  const { listener } = site.host;
  signal?.throwIfAborted();
  const started = performance.now();
  listener({ type: 'step-started', step: id });
  let outcome: 'done' | 'failed' = 'failed';
  let summary = '';
  try {
    if (id === 'good') {
      await assertSwapped(site, record);
      await settleInstaller(site, record.id);
      commitGood(transaction);
      summary = `${transaction.target.manifest.version} is current`;
    } else {
      const step = steps[id];
      const { detail, commit } = (await step.prepare?.(transaction)) ?? {};
      site.state.commit(() => {
        site.journal.record(record.id, id, 'intent', detail);
        commit?.();
      });
      summary = await step.run(transaction, (bytes, total) =>
        listener({ type: 'progress', step: id, bytes, ...(total === undefined ? {} : { total }) }),
      );
      site.journal.record(record.id, id, 'done', { summary });
    }
    outcome = 'done';
  } catch (error) {
    summary = error instanceof Error ? error.message : String(error);
    site.journal.record(record.id, id, 'failed', { error: summary });
    throw error;
  } finally {
    listener({ type: 'step-ended', step: id, outcome, summary, milliseconds: performance.now() - started });
  }
  return Math.round(performance.now() - started) / 1000;
}

/** Nothing goes back by itself any more, so nothing stops half way either: the signal counts until then. */
function afterGood(transaction: Transaction): Transaction {
  if (!transaction.site.journal.has(transaction.record.id, 'good', 'done')) return transaction;
  const { signal: _signal, ...rest } = transaction;
  return rest;
}

/** Users were let in, so they may have written: what to do is for a person to decide (docs/adr/0008-irreversible.md). */
async function openButUnhealthy({ site, record }: Transaction, error: unknown): Promise<AirdockError> {
  const failure = asFailure(error, undefined);
  site.journal.end(record.id, 'done', failure.message);
  await removeSnapshots(site, record.id);
  const report = await writeReport(site, record.id, failure);
  return new AirdockError('OPEN_BUT_UNHEALTHY', `${record.to} is in place and was opened to users, but: ${failure.message}`, {
    hint: `Nothing goes back by itself from here, for users may have written. Put it right (docker compose ps, docker compose up -d), or go back: airdock rollback ${record.from ?? ''} --restore-database (it says first what would be left aside)\n  report: ${report}`,
    cause: error,
    details: { ...failure.details, transaction: record.id, outcome: 'done', serving: record.to, report },
  });
}

/** The first error, with what became of the deployment: what happened, what serves now, what to do next. */
function withOutcome(failure: AirdockError, site: ManagedSite, id: number, undone: Undone, report: string): AirdockError {
  const { product, current } = site.state.deployment() ?? { product: null, current: null };
  const backupId = site.journal.all().find((one) => one.id === id)?.backup ?? null;
  const kept = backupId === null ? '' : ` The backup ${backupId} was kept.`;
  const state = current === null ? `Nothing is installed: ${undone.summary}.` : `${product ?? site.project} ${undone.summary}.`;
  return new AirdockError(failure.code, `${failure.message}\n${state}${kept}`, {
    hint: `${failure.hint ?? 'Run the same command again, or keep what serves now.'}\n  report: ${report}`,
    cause: failure.cause,
    details: { ...failure.details, transaction: id, outcome: undone.outcome, serving: current, backup: backupId, report },
  });
}

function asFailure(error: unknown, signal: AbortSignal | undefined): AirdockError {
  if (signal?.aborted)
    return new AirdockError('INTERRUPTED', 'interrupted', { cause: error, hint: 'Run the same command again to go on.' });
  if (isAirdockError(error)) return error;
  return new AirdockError('STEP_FAILED', error instanceof Error ? error.message : String(error), { cause: error });
}
