import { errorText } from './errors.ts';

/**
 * Events of long work while it runs. The work emits them, `cli/render/` draws them: a tree on a terminal, a line for each finished
 * step when piped, NDJSON on stderr with `--json`.
 */
export type StepOutcome = 'done' | 'skipped' | 'failed';

export type ProgressEvent =
  | { type: 'heading'; text: string }
  | { type: 'step-started'; step: string }
  /** Bytes so far; `total` when it is known. May be sent at any rate: the renderer limits the output. */
  | { type: 'progress'; step: string; bytes: number; total?: number | undefined }
  /** A message within a step, or between steps. */
  | { type: 'note'; step?: string; text: string }
  | { type: 'warning'; text: string }
  /** `summary` is the text right of the step's name: "3 new blobs, 22.0 MB". */
  | { type: 'step-ended'; step: string; outcome: StepOutcome; summary: string; milliseconds: number };

export type Listener = (event: ProgressEvent) => void;

/** Reports progress: bytes so far, and the total when it is known. */
export type Progress = (bytes: number, total?: number) => void;

/**
 * Runs work and shows it as a step. `ok: false` in its result shows it as failed, without an error.
 * @param failureText the summary of a failed step; the error itself is thrown in any case
 */
export async function asStep<T extends { summary: string; ok?: boolean | undefined }>(
  listener: Listener,
  step: string,
  work: (progress: Progress) => Promise<T>,
  failureText: (error: unknown) => string = () => '',
): Promise<T> {
  const started = performance.now();
  const ended = (outcome: 'done' | 'failed', summary: string) =>
    listener({ type: 'step-ended', step, outcome, summary, milliseconds: performance.now() - started });
  listener({ type: 'step-started', step });
  try {
    const result = await work((bytes, total) => listener({ type: 'progress', step, bytes, total }));
    ended(result.ok === false ? 'failed' : 'done', result.summary);
    return result;
  } catch (error) {
    ended('failed', failureText(error));
    throw error;
  }
}

/** Runs work after the end of a transaction. Nothing is undone any more, so a failure is shown as a warning. */
export async function warnOnFailure(listener: Listener, what: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    listener({ type: 'warning', text: `${what}: ${errorText(error)}` });
  }
}
