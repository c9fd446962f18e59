/**
 * What long work says while it runs. The core emits, `cli/render/` draws: a tree on a terminal, a line for each finished
 * step when piped, NDJSON on stderr with `--json`.
 */
export type StepOutcome = 'done' | 'skipped' | 'failed';

export type ProgressEvent =
  | { type: 'heading'; text: string }
  | { type: 'step-started'; step: string }
  /** Bytes so far; `total` when it is known. Sent at any rate: the renderer thins. */
  | { type: 'progress'; step: string; bytes: number; total?: number }
  /** A line of news within a step, or between steps. */
  | { type: 'note'; step?: string; text: string }
  | { type: 'warning'; text: string }
  /** `summary` is the text right of the step's name: "3 new blobs, 22.0 MB". */
  | { type: 'step-ended'; step: string; outcome: StepOutcome; summary: string; milliseconds: number };

export type Listener = (event: ProgressEvent) => void;
