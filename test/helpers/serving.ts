// "The old version answers": what users saw while something was done to a deployment, and what they must have seen.
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import type { Host } from './host.ts';
import { urlOf } from './deployment.ts';
import { startPoller } from './poller.ts';

type Report = Awaited<ReturnType<Awaited<ReturnType<typeof startPoller>>['stop']>>;
/** Longer than a stalled machine is silent; what a container that restarts does not answer fails, besides. */
const hiccup = 20_000;

/** Polls the version every 100 ms from before `work` until a second after it. */
export async function watched<T>(
  host: Host,
  directory: string,
  work: () => Promise<T>,
): Promise<{ result: T; seen: Report; ended: number }> {
  const poller = await startPoller(host, await urlOf(directory, 'health'), { timeoutMs: hiccup });
  try {
    await sleep(500);
    const result = await work();
    const ended = Date.now();
    await sleep(1000);
    return { result, seen: await poller.stop(), ended };
  } catch (error) {
    await poller.stop().catch(() => {});
    throw error;
  }
}

/** From start to end, that version and no gap. */
export function expectUntouched(seen: Report, version: string): void {
  expectServing(seen, version, { from: seen.started, to: seen.stopped });
}

/** `before` until the step `up` began, `after` from the end on; the gap between is measured and reported, not denied. */
export function expectSwitch(
  what: string,
  seen: Report,
  versions: { before: string; after: string },
  times: { up: number; ended: number },
): void {
  expectServing(seen, versions.before, { from: seen.started, to: times.up });
  expectServing(seen, versions.after, { from: times.ended, to: seen.stopped });
  const between = { from: times.up, to: times.ended };
  console.log(
    `${what}: nobody answered for ${seen.longestGap(between)} ms at the longest, ${seen.failures(between).length} of ${seen.samples.length} requests failed`,
  );
}

function expectServing(seen: Report, version: string, span: { from: number; to: number }): void {
  expect(seen.failures(span), `requests that failed while ${version} had to answer`).toEqual([]);
  expect(seen.gaps(hiccup, span)).toEqual([]);
  expect(seen.versionsBetween(span.from, span.to)).toEqual([version]);
}
