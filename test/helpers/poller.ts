// "Somebody answers all the time": polls a URL from inside a host, and judges.
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Host } from './host.ts';

/** `at`: when it was asked, ms since the epoch; `ms`: until the whole answer, or the error. */
export type Sample = { at: number; ms: number } & ({ status: number; version?: string } | { error: string });

/** Nobody answered well from the answer at `from` to the next one, asked at `to`. */
type Gap = { from: number; to: number; ms: number };
type Span = { from?: number; to?: number };

type PollReport = {
  readonly samples: readonly Sample[];
  /** Slots of the interval between start and stop. */
  readonly expected: number;
  readonly started: number;
  readonly stopped: number;
  /** Times without a good answer (2xx) of more than `maxMs`, clipped to the span. */
  gaps(maxMs: number, span?: Span): Gap[];
  /** ms of the longest time without a good answer; the interval itself when there was none. */
  longestGap(span?: Span): number;
  /** Every answer that was not good: another status, or none. */
  failures(span?: Span): Sample[];
  /** The versions that answered from t1 to t2, in order, repetitions folded. */
  versionsBetween(t1: number, t2: number): string[];
};

type PollerOptions = {
  intervalMs?: number;
  timeoutMs?: number;
  /** The key of the JSON answer that names the version. */
  versionKey?: string;
};

type Poller = {
  /** Throws when fewer than 90 % of the expected samples are there: too few to say anything. */
  stop(): Promise<PollReport>;
};

/** Resolves with the first sample in: what happens from here on is seen. */
export async function startPoller(host: Pick<Host, 'spawn'>, url: string, options: PollerOptions = {}): Promise<Poller> {
  const { intervalMs = 100, timeoutMs = 1000, versionKey = 'version' } = options;
  const program = join(import.meta.dirname, 'poller-process.ts');
  const child = host.spawn([process.execPath, program, url, String(intervalMs), String(timeoutMs), versionKey], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const { stdin, stdout, stderr } = child;
  if (stdin === null || stdout === null || stderr === null) throw new Error('the poller has no pipes');
  let complaints = '';
  stderr.on('data', (chunk: Buffer) => (complaints += chunk.toString()));
  const closed = once(child, 'close');
  const samples: Sample[] = [];
  let end: { started: number; stopped: number } | undefined;
  const lines = createInterface({ input: stdout });
  const first = once(lines, 'line');
  lines.on('line', (line) => {
    const message = JSON.parse(line) as Sample | { started: number; stopped: number };
    if ('started' in message) end = message;
    else samples.push(message);
  });
  await Promise.race([first, closed]);
  if (samples.length === 0) throw new Error(`the poller did not start: ${complaints}`);

  return {
    stop: async () => {
      stdin.end();
      await closed;
      if (end === undefined) throw new Error(`the poller died: ${complaints}`);
      const expected = Math.max(1, Math.floor((end.stopped - end.started) / intervalMs));
      if (samples.length < 0.9 * expected) {
        throw new Error(`the poller got ${samples.length} of ${expected} samples: too few to say anything`);
      }
      return judge(samples, { ...end, expected, intervalMs });
    },
  };
}

type Frame = { started: number; stopped: number; expected: number; intervalMs: number };

/** The judgement alone, without a process: what poller.test.ts feeds by hand. */
export function judge(unordered: readonly Sample[], { started, stopped, expected, intervalMs }: Frame): PollReport {
  const samples = unordered.toSorted((a, b) => a.at - b.at);
  const good = samples.filter((sample) => 'status' in sample && sample.status >= 200 && sample.status < 300);
  const within = (span: Span) => (sample: Sample) => sample.at >= (span.from ?? started) && sample.at <= (span.to ?? stopped);

  const gaps = (maxMs: number, span: Span = {}): Gap[] => {
    const from = Math.max(started, span.from ?? started);
    const to = Math.min(stopped, span.to ?? stopped);
    const marks = [started, ...good.map((sample) => sample.at), stopped];
    return marks.slice(1).flatMap((mark, i) => {
      const gap = { from: Math.max(from, marks[i] ?? started), to: Math.min(to, mark) };
      return gap.to - gap.from > maxMs ? [{ ...gap, ms: gap.to - gap.from }] : [];
    });
  };

  return {
    samples,
    expected,
    started,
    stopped,
    gaps,
    longestGap: (span) => Math.max(intervalMs, ...gaps(0, span).map((gap) => gap.ms)),
    failures: (span = {}) => samples.filter((sample) => !good.includes(sample)).filter(within(span)),
    versionsBetween: (t1, t2) =>
      good
        .filter(within({ from: t1, to: t2 }))
        .flatMap((sample) => ('version' in sample && sample.version !== undefined ? [sample.version] : []))
        .filter((version, i, all) => version !== all[i - 1]),
  };
}
