import { setTimeout as sleep } from 'node:timers/promises';

/** `wrong`: every answer that was none of the expected ones; `silent`: how often there was none. */
export type Watched<T> = { result: T; wrong: string[]; silent: number };

/** Asks every 100 ms until `work` is done. @throws when it hardly came to ask */
export async function watchWhile<T>(
  ask: () => Promise<string | undefined>,
  expected: readonly string[],
  work: () => Promise<T>,
): Promise<Watched<T>> {
  const over = new AbortController();
  let [asked, silent] = [0, 0];
  const wrong: string[] = [];
  const watching = (async () => {
    for (; !over.signal.aborted; await sleep(100)) {
      const answer = await ask();
      asked += 1;
      if (answer === undefined) silent += 1;
      else if (!expected.includes(answer)) wrong.push(answer);
    }
  })();
  const result = await work().finally(() => over.abort());
  await watching;
  if (asked < 10) throw new Error(`asked only ${asked} times`);
  return { result, wrong, silent };
}
