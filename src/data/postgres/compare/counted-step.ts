import { asStep, type Listener } from '../../../events.ts';
import type { TableDifference } from './difference.ts';
import { differenceLines } from './table-differences.ts';

/** A step that counts rows which differ, and shows them. Null when it fails, which it says and nothing else depends on. */
export function countedStep<T extends { rows: TableDifference[] }>(
  listener: Listener,
  step: string,
  work: () => Promise<T>,
): Promise<T | null> {
  const shown = async () => {
    const made = await work();
    return { ...made, summary: differenceLines(made.rows).join('\n') };
  };
  const failureText = (error: unknown) =>
    `the rows that differ could not be counted: ${error instanceof Error ? error.message : String(error)}`;
  return asStep(listener, step, shown, failureText).catch(() => null);
}
