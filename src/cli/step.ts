import type { CliContext } from './context.ts';

type OnProgress = (bytes: number, total: number) => void;

/** Runs work as one step that is drawn: its summary when it is done, its failure when it throws. */
export async function step<Result extends { summary: string; ok?: boolean }>(
  { listener, now }: CliContext,
  name: string,
  work: (onProgress: OnProgress) => Promise<Result>,
): Promise<Result> {
  const since = now().getTime();
  const end = (outcome: 'done' | 'failed', summary: string): void =>
    listener({ type: 'step-ended', step: name, outcome, summary, milliseconds: now().getTime() - since });
  listener({ type: 'step-started', step: name });
  try {
    const result = await work((bytes, total) => listener({ type: 'progress', step: name, bytes, total }));
    end(result.ok === false ? 'failed' : 'done', result.summary);
    return result;
  } catch (error) {
    end('failed', '');
    throw error;
  }
}
