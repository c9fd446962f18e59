import { styleText } from 'node:util';
import type { ProgressEvent, StepOutcome } from '../../events.ts';
import { durationText } from '../../units.ts';

/** The lines of a finished step, and of messages between steps: the same on a terminal and in a log. */

const marks = { done: '✔', skipped: '–', failed: '✖' } as const satisfies Record<StepOutcome, string>;
const colors = { done: 'green', skipped: 'gray', failed: 'red' } as const satisfies Record<StepOutcome, string>;
const nameWidth = 11;
const summaryWidth = 56;
/** Where a summary begins: details of a step stand below it. */
const detailIndent = ' '.repeat(nameWidth + 5);

export type Paint = (color: 'green' | 'gray' | 'red' | 'yellow' | 'bold', text: string) => string;

export const plain: Paint = (_color, text) => text;
/** Whether to use colour was decided before (`isTTY`, `NO_COLOR`), so the stream is not checked again. */
export const colored: Paint = (color, text) => styleText(color, text, { validateStream: false });

export function finishedLine(event: Extract<ProgressEvent, { type: 'step-ended' }>, paint: Paint): string {
  const [first = '', ...more] = event.summary.split('\n');
  const mark = paint(colors[event.outcome], marks[event.outcome]);
  const head = `  ${mark} ${event.step.padEnd(nameWidth)} ${first.padEnd(summaryWidth)} ${durationText(event.milliseconds).padStart(8)}`;
  return [head, ...more.map(detailLine)].map((line) => `${line}\n`).join('');
}

/** What is shown while a step runs; a spinner stands before it. */
export function runningText(step: string, text: string): string {
  return `${step.padEnd(nameWidth)} ${text}`;
}

export function detailLine(text: string): string {
  return detailIndent + text;
}

export function headingLine(text: string, paint: Paint): string {
  return `${paint('bold', text)}\n`;
}

export function warningLine(text: string, paint: Paint): string {
  return `${paint('yellow', 'warning:')} ${text}\n`;
}
