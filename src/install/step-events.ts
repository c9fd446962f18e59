import type { Listener } from '../events.ts';
import type { Progress } from './transaction.ts';

/**
 * Runs work that is no transaction's step, and shows it as one.
 * @param sad what is shown beside one that failed; the error itself is thrown in any case
 */
export async function asStep<T extends { summary: string }>(
  listener: Listener,
  step: string,
  work: (progress: Progress) => Promise<T>,
  sad: (error: unknown) => string = () => '',
): Promise<T> {
  const started = performance.now();
  const ended = (outcome: 'done' | 'failed', summary: string) =>
    listener({ type: 'step-ended', step, outcome, summary, milliseconds: performance.now() - started });
  listener({ type: 'step-started', step });
  try {
    const result = await work((bytes, total) =>
      listener({ type: 'progress', step, bytes, ...(total === undefined ? {} : { total }) }),
    );
    ended('done', result.summary);
    return result;
  } catch (error) {
    ended('failed', sad(error));
    throw error;
  }
}
