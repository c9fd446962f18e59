import { writeSync } from 'node:fs';
import process from 'node:process';
import { systemCode } from '../errors.ts';
import { run } from './run.ts';
import { runningSelf } from './self.ts';

/** The entry point of the process. It loads only what `--version` needs. */

const start = {
  // for the few lines of --version; `process.stdout` would first load Node's sockets
  stdout: { write: writeOut },
  env: process.env,
  self: runningSelf(),
};
// no top-level await: in the executable this is a CommonJS module
void run(process.argv.slice(2), start, async () => {
  const { processRuntime } = await import('./process-runtime.ts');
  return processRuntime(start);
}).then((code) => (process.exitCode = code));

function writeOut(text: string): void {
  try {
    writeSync(1, text);
  } catch (error) {
    if (!['EPIPE', 'EIO'].includes(systemCode(error) ?? '')) throw error; // the reader went away
  }
}
