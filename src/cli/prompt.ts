import { createInterface } from 'node:readline';
import process from 'node:process';
import { Writable } from 'node:stream';
import type { Prompt } from './context.ts';

/** Questions on a terminal; drawn on standard error, so that standard output stays the result. */
export function terminalPrompt(input: NodeJS.ReadStream, output: NodeJS.WriteStream, signal: AbortSignal): Prompt {
  const nothing = new Writable({ write: (_chunk, _encoding, done) => done() });
  const ask = (question: string, secret: boolean): Promise<string> => {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const lines = createInterface({ input, output: secret ? nothing : output, terminal: true });
    const abort = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', abort, { once: true });
    // In raw mode Ctrl-C is a key, not a signal.
    lines.on('SIGINT', () => process.kill(process.pid, 'SIGINT'));
    // Ctrl-D is an empty answer.
    lines.on('close', () => resolve(''));
    if (secret) output.write(question);
    lines.question(secret ? '' : question, resolve);
    return promise.finally(() => {
      signal.removeEventListener('abort', abort);
      lines.close();
      if (secret) output.write('\n');
    });
  };
  return { line: (question) => ask(question, false), secret: (question) => ask(question, true) };
}
