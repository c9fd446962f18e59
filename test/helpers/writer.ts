// A user who writes all the while, and remembers what was acknowledged: none of it may be lost.
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Host } from './host.ts';

type Writer = {
  /** Titles that were acknowledged so far. */
  readonly acknowledged: readonly string[];
  stop(): Promise<readonly string[]>;
};

/** Resolves with the first acknowledged note. */
export async function startWriter(host: Pick<Host, 'spawn'>, url: string): Promise<Writer> {
  const child = host.spawn([process.execPath, join(import.meta.dirname, 'writer-process.ts'), url], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const { stdin, stdout } = child;
  if (stdin === null || stdout === null) throw new Error('the writer has no pipes');
  const acknowledged: string[] = [];
  const lines = createInterface({ input: stdout });
  const first = once(lines, 'line');
  const closed = once(child, 'close');
  lines.on('line', (title) => acknowledged.push(title));
  await Promise.race([first, closed]);
  if (acknowledged.length === 0) throw new Error('the writer did not start');
  return {
    acknowledged,
    async stop() {
      stdin.end();
      await closed;
      return acknowledged;
    },
  };
}
