import process from 'node:process';
import { text } from 'node:stream/consumers';
import { AirdockError } from '../errors.ts';
import type { Runtime } from './context.ts';
import { terminalPrompt } from './prompt.ts';

/** What the process gives to the commands: signals, streams, the outside. */
export function processRuntime(start: Pick<Runtime, 'env' | 'self'>): Runtime {
  const interruption = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => interruption.abort(new AirdockError('INTERRUPTED', `interrupted by ${signal}`)));
  }
  // A dropped SSH session does not end a transaction; its outcome is in the journal.
  process.on('SIGHUP', () => {});
  return {
    ...start,
    stdout: outlivesReader(process.stdout),
    stderr: outlivesReader(process.stderr),
    cwd: process.cwd(),
    isTTY: process.stderr.isTTY,
    signal: interruption.signal,
    now: () => new Date(),
    prompt:
      process.stdin.isTTY && process.stderr.isTTY
        ? terminalPrompt(process.stdin, process.stderr, interruption.signal)
        : undefined,
    stdin: () => text(process.stdin),
    tools: async () => ({ ...(await import('../io/process.ts')), ...(await import('../io/helm.ts')) }),
    io: async () => ({
      ...(await import('../io/process.ts')),
      ...(await import('../io/endpoint.ts')),
      ...(await import('../io/docker.ts')),
      ...(await import('../io/compose.ts')),
      ...(await import('../io/toolbox.ts')),
      ...(await import('../io/systemd.ts')),
      ...(await import('../io/helm.ts')),
      ...(await import('../io/postgres.ts')),
      ...(await import('../io/kubectl.ts')),
      ...(await import('../io/helm-releases.ts')),
    }),
  };
}

/** The reader went away: `airdock inspect … | head`, or the terminal of a dropped session. Work goes on without it. */
function outlivesReader(stream: NodeJS.WriteStream): NodeJS.WriteStream {
  return stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error;
  });
}
