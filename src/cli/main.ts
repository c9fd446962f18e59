import process from 'node:process';
import { AirdockError } from '../errors.ts';
import type { Runtime } from './context.ts';
import { terminalPrompt } from './prompt.ts';
import { run } from './run.ts';
import { runningSelf } from './self.ts';

/** The process: arguments, signals, streams, exit code. Nothing else touches `process`. */

const interruption = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => interruption.abort(new AirdockError('INTERRUPTED', `interrupted by ${signal}`)));
}
// A dropped session does not end a transaction (DESIGN 6); what it was to read is in the journal.
process.on('SIGHUP', () => {});
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    // The reader went away: `airdock inspect … | head`, or the terminal of a dropped session.
    if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error;
  });
}

const runtime: Runtime = {
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  cwd: process.cwd(),
  isTTY: process.stderr.isTTY,
  signal: interruption.signal,
  now: () => new Date(),
  self: runningSelf(),
  ...(process.stdin.isTTY && process.stderr.isTTY
    ? { prompt: terminalPrompt(process.stdin, process.stderr, interruption.signal) }
    : {}),
  tools: async () => ({ ...(await import('../io/process.ts')), ...(await import('../io/helm.ts')) }),
  io: async () => ({
    ...(await import('../io/process.ts')),
    ...(await import('../io/endpoint.ts')),
    ...(await import('../io/docker.ts')),
    ...(await import('../io/compose.ts')),
    ...(await import('../io/helm.ts')),
    ...(await import('../io/postgres.ts')),
  }),
};
process.exitCode = await run(process.argv.slice(2), runtime);
