import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Host } from './host.ts';
import { judge, type Sample, startPoller } from './poller.ts';

const frame = { started: 0, stopped: 1000, expected: 10, intervalMs: 100 };
const answers = (bad: (at: number) => boolean): Sample[] =>
  Array.from({ length: 10 }, (_, i) =>
    bad(i * 100)
      ? { at: i * 100, ms: 1, error: 'ECONNREFUSED' }
      : { at: i * 100, ms: 1, status: 200, version: i < 5 ? '0.2.4' : '0.3.0' },
  );

test('no gap while all answer', () => {
  const report = judge(
    answers(() => false),
    frame,
  );
  expect(report.gaps(150)).toEqual([]);
  expect(report.longestGap()).toBe(100);
  expect(report.failures()).toEqual([]);
  expect(report.versionsBetween(0, 1000)).toEqual(['0.2.4', '0.3.0']);
  expect(report.versionsBetween(0, 400)).toEqual(['0.2.4']);
});

test('a gap in the middle has its bounds, and is clipped to the span', () => {
  const report = judge(
    answers((at) => at >= 300 && at <= 500),
    frame,
  );
  expect(report.gaps(150)).toEqual([{ from: 200, to: 600, ms: 400 }]);
  expect(report.gaps(150, { to: 250 })).toEqual([]);
  expect(report.gaps(150, { from: 400 })).toEqual([{ from: 400, to: 600, ms: 200 }]);
  expect(report.failures({ to: 350 })).toHaveLength(1);
});

test('silence at the start, at the end, and from start to end are gaps', () => {
  expect(
    judge(
      answers((at) => at < 300),
      frame,
    ).gaps(150),
  ).toEqual([{ from: 0, to: 300, ms: 300 }]);
  expect(
    judge(
      answers((at) => at > 500),
      frame,
    ).gaps(150),
  ).toEqual([{ from: 500, to: 1000, ms: 500 }]);
  expect(
    judge(
      answers(() => true),
      frame,
    ).gaps(150),
  ).toEqual([{ from: 0, to: 1000, ms: 1000 }]);
});

test('an answer of 503 is a failure, not an answer', () => {
  const samples = answers(() => false).map((sample): Sample => (sample.at === 400 ? { at: 400, ms: 1, status: 503 } : sample));
  const report = judge(samples, frame);
  expect(report.failures()).toEqual([{ at: 400, ms: 1, status: 503 }]);
  expect(report.gaps(150)).toEqual([{ from: 300, to: 500, ms: 200 }]);
});

/** A server that counts as a version, and a "host" that is this machine. */
async function rig() {
  let version: string | undefined = '1';
  const server = createServer((_, response) => {
    response.writeHead(version === undefined ? 502 : 200).end(JSON.stringify({ version }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const pids: number[] = [];
  const host: Pick<Host, 'spawn'> = {
    spawn: ([file = '', ...args], options = {}) => {
      const child = spawn(file, args, options);
      pids.push(child.pid ?? 0);
      return child;
    },
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    host,
    pids,
    serve: (next: string | undefined) => (version = next),
    [Symbol.dispose]: () => void server.close(),
  };
}

test('a real run: one version, an outage, the next version', async () => {
  using it = await rig();
  const poller = await startPoller(it.host, it.url, { intervalMs: 50 });
  await sleep(1000);
  it.serve(undefined);
  const outage = Date.now();
  await sleep(1000);
  it.serve('2');
  await sleep(1000);
  const report = await poller.stop();
  expect(report.versionsBetween(report.started, report.stopped)).toEqual(['1', '2']);
  expect(report.gaps(500)).toHaveLength(1);
  expect(report.gaps(500, { to: outage })).toEqual([]);
  expect(report.samples.length).toBeGreaterThanOrEqual(0.9 * report.expected);
});

test('a poller that slept judges nothing', async () => {
  using it = await rig();
  const poller = await startPoller(it.host, it.url, { intervalMs: 20 });
  process.kill(it.pids[0] ?? 0, 'SIGSTOP');
  await sleep(500);
  process.kill(it.pids[0] ?? 0, 'SIGCONT');
  await expect(poller.stop()).rejects.toThrow(/of \d+ samples/);
});
