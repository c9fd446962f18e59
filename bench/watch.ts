// watch.ts COMMAND...: runs `airdock … --json` and prints what it took: seconds and peak memory of the process alone (VmHWM;
// not its children), and for each step seconds and the bytes that the process read and wrote (/proc/PID/io: `wchar` is what
// it asked for, sockets too; `written` what reached the file system).
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const [file = '', ...args] = process.argv.slice(2);
const started = performance.now();
const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] });

function proc(name: string): Map<string, number> {
  try {
    const text = readFileSync(`/proc/${child.pid}/${name}`, 'utf8');
    return new Map([...text.matchAll(/^(\w+):\s+(\d+)/gm)].map(([, key = '', value]) => [key, Number(value)]));
  } catch {
    return new Map(); // it has ended
  }
}
type Moment = { read: number; wchar: number; written: number };
function moment(): Moment {
  const io = proc('io');
  return { read: io.get('rchar') ?? 0, wchar: io.get('wchar') ?? 0, written: io.get('write_bytes') ?? 0 };
}
let peak = 0;
const look = () => (peak = Math.max(peak, proc('status').get('VmHWM') ?? 0));
const timer = setInterval(look, 10);

const steps: Record<string, Moment & { seconds: number; peak: number }> = {};
const begun = new Map<string, Moment>();
const lines: string[] = [];
createInterface({ input: child.stderr }).on('line', (line) => {
  lines.push(line);
  const event = line.startsWith('{') ? (JSON.parse(line) as { type: string; step: string; milliseconds: number }) : undefined;
  if (event?.type === 'step-started') begun.set(event.step, moment());
  if (event?.type !== 'step-ended') return;
  const before = begun.get(event.step);
  const now = moment();
  look();
  if (!before) return;
  steps[event.step] = {
    seconds: event.milliseconds / 1000,
    peak,
    read: now.read - before.read,
    wchar: now.wchar - before.wchar,
    written: now.written - before.written,
  };
});
let stdout = '';
child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
const [exitCode] = (await once(child, 'close')) as [number];
clearInterval(timer);
if (exitCode !== 0) console.error(stdout, lines.join('\n'));
console.log(
  JSON.stringify({ seconds: (performance.now() - started) / 1000, peak, steps, document: JSON.parse(stdout) as unknown }),
);
process.exitCode = exitCode;
