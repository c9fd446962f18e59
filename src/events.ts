/**
 * What long work says while it runs. The core emits, `cli/render/` draws: a tree on a terminal, a line for each finished
 * step when piped, NDJSON on stderr with `--json`.
 */
export type StepOutcome = 'done' | 'skipped' | 'failed';

export type ProgressEvent =
  | { type: 'heading'; text: string }
  | { type: 'step-started'; step: string }
  /** Bytes so far; `total` when it is known. Sent at any rate: the renderer thins. */
  | { type: 'progress'; step: string; bytes: number; total?: number | undefined }
  /** A line of news within a step, or between steps. */
  | { type: 'note'; step?: string; text: string }
  | { type: 'warning'; text: string }
  /** `summary` is the text right of the step's name: "3 new blobs, 22.0 MB". */
  | { type: 'step-ended'; step: string; outcome: StepOutcome; summary: string; milliseconds: number };

export type Listener = (event: ProgressEvent) => void;

/** Bytes so far of some work, of that many. */
export type Progress = (bytes: number, total?: number) => void;

/**
 * Runs work and shows it as a step. `ok: false` in its result shows it as failed, without an error.
 * @param failureText what is shown beside one that failed; the error itself is thrown in any case
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

/** Work after the end of a transaction: nothing is taken back for it any more, so a failure is shown as a warning. */
export async function warnOnFailure(listener: Listener, what: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    listener({ type: 'warning', text: `${what}: ${error instanceof Error ? error.message : String(error)}` });
  }
}
