import { AirdockError, errorText, isAirdockError } from '../../errors.ts';
import { asStep, type Progress } from '../../events.ts';
import type { TransactionRecord } from '../state/journal.ts';
import type { ManagedSite } from '../site/site.ts';

/** Runs one step of a transaction and keeps its journal (docs/adr/0001-transaction.md, "Steps"). */

/** What a step adds to the commit of its intent: `detail` is recorded with it, `commit` runs in the same commit. */
export type Prepared = { detail?: Record<string, unknown>; commit?: () => void };

export type StepWork<Context> = {
  id: string;
  /** Reads the state before the intent is recorded. */
  prepare?: (context: Context) => Promise<Prepared>;
  /** The effect, which may be repeated. @returns text to show with the step */
  run: (context: Context, progress: Progress) => Promise<string>;
  /**
   * Writes to SQLite, in one commit with the step's end. A step with it records no intent: for recovery it happened completely, or
   * not at all.
   */
  commit?: (context: Context) => void;
};

type Running = { site: ManagedSite; record: TransactionRecord; signal?: AbortSignal | undefined };

/** @returns seconds */
export async function runStep<Context extends Running>(context: Context, step: StepWork<Context>): Promise<number> {
  const { site, record, signal } = context;
  signal?.throwIfAborted();
  const started = performance.now();
  const work = async (progress: Progress): Promise<{ summary: string }> => {
    try {
      return { summary: await journaled(context, step, progress) };
    } catch (error) {
      site.journal.record(record.id, step.id, 'failed', { error: errorText(error) });
      throw error;
    }
  };
  await asStep(site.host.listener, step.id, work, errorText);
  return Math.round(performance.now() - started) / 1000;
}

async function journaled<Context extends Running>(
  context: Context,
  step: StepWork<Context>,
  progress: Progress,
): Promise<string> {
  const { site, record } = context;
  const { journal, state } = site;
  const { detail, commit } = (await step.prepare?.(context)) ?? {};
  if (!step.commit)
    state.commit(() => {
      journal.record(record.id, step.id, 'intent', detail);
      commit?.();
    });
  const summary = await step.run(context, progress);
  state.commit(() => {
    journal.record(record.id, step.id, 'done', { summary });
    step.commit?.(context);
  });
  return summary;
}

/** The error of a failed transaction, for a person. */
export function asFailure(error: unknown, signal: AbortSignal | undefined): AirdockError {
  if (signal?.aborted)
    return new AirdockError('INTERRUPTED', 'interrupted', { cause: error, hint: 'Run the same command again.' });
  if (isAirdockError(error)) return error;
  return new AirdockError('STEP_FAILED', errorText(error), { cause: error });
}
