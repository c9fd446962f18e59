// The process that poller.ts starts inside a host: asks a URL at a fixed rate and
// prints one JSON line per answer. Ends when its stdin ends, so it outlives nobody.
// Arguments: URL, interval in ms, timeout in ms, key of the version in the answer.
import { get } from 'node:http';
import type { Sample } from './poller.ts';

const [url = '', interval = '100', timeout = '1000', key = 'version'] = process.argv.slice(2);
const started = Date.now();
let lastTick = -1;

function ask(at: number): void {
  let done = false;
  const report = (result: { status: number; version?: string } | { error: string }): void => {
    if (done) return;
    done = true;
    const sample: Sample = { at, ms: Date.now() - at, ...result };
    process.stdout.write(`${JSON.stringify(sample)}\n`);
  };
  const request = get(url, { agent: false, signal: AbortSignal.timeout(Number(timeout)) }, (response) => {
    const chunks: Buffer[] = [];
    response.on('data', (chunk: Buffer) => chunks.push(chunk));
    response.on('error', (error: NodeJS.ErrnoException) => report({ error: error.code ?? error.name }));
    response.on('end', () => {
      const version = versionIn(Buffer.concat(chunks).toString());
      report({ status: response.statusCode ?? 0, ...(version === undefined ? {} : { version }) });
    });
  });
  request.on('error', (error: NodeJS.ErrnoException) => report({ error: error.code ?? error.name }));
}

function versionIn(body: string): string | undefined {
  try {
    const value = (JSON.parse(body) as Record<string, unknown>)[key];
    return typeof value === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}

// One sample per slot of the interval; slots that a stalled machine slept through stay empty, and are counted as missing.
const timer = setInterval(
  () => {
    const tick = Math.floor((Date.now() - started) / Number(interval));
    if (tick === lastTick) return;
    lastTick = tick;
    ask(Date.now());
  },
  Math.max(1, Number(interval) / 4),
);

process.stdin.on('end', () => {
  clearInterval(timer);
  // what is under way still gets its answer; then nothing keeps the process
  process.stdout.write(`${JSON.stringify({ started, stopped: Date.now() })}\n`);
});
process.stdin.resume();
