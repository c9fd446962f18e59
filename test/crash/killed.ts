// A process that is killed at an exact place of its journal (die-at.cjs), and what must be true afterwards.
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { airdock, executable } from '../helpers/airdock.ts';
import { fired } from '../helpers/faults.ts';
import type { Host } from '../helpers/host.ts';
import { answering, containerIds, healthy, psql } from '../helpers/deployment.ts';
import { fingerprint } from '../helpers/pad.ts';

const dieAt = join(import.meta.dirname, 'die-at.cjs');

/**
 * Ends when the process was killed at that place; a place that is never reached is a failure of the test.
 * @param before what had happened, where that makes it another fault
 */
export async function killedAt(
  host: Host,
  directory: string,
  place: string,
  args: readonly string[],
  ...before: readonly string[]
): Promise<void> {
  const consent = args[0] === 'resume' ? [] : ['--yes'];
  const child = host.spawn([await executable(), ...args, '--dir', directory, ...consent, '--json'], {
    stdio: 'ignore',
    env: { NODE_OPTIONS: `--require=${dieAt}`, AIRDOCK_DIE_AT: place },
  });
  const [, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
  expect(signal, `airdock ended before it came to ${place}`).toBe('SIGKILL');
  await fired('engine', ...kindOf(args), ...before, place, 'SIGKILL');
}

/** The same with a signal that it takes for what it is, and its exit. */
export async function signalledAt(
  host: Host,
  directory: string,
  { place, signal }: { place: string; signal: NodeJS.Signals },
  args: readonly string[],
): Promise<Awaited<ReturnType<typeof airdock>>> {
  const env = { NODE_OPTIONS: `--require=${dieAt}`, AIRDOCK_DIE_AT: place, AIRDOCK_DIE_BY: signal };
  const result = await airdock(host, [...args, '--dir', directory, '--yes'], { env });
  const [step] = place.split(':');
  expect(result.events.some((event) => event.type === 'step-started' && event.step === step)).toBe(true);
  await fired('engine', ...kindOf(args), place, signal);
  return result;
}

/**
 * What the world does to it at that place: the process stands still there (SIGSTOP) while `act` is carried out, and goes on.
 * @param fault what `act` does, in words
 */
export async function disturbedAt(
  host: Host,
  directory: string,
  { place, fault, act }: { place: string; fault: string; act: () => Promise<unknown> },
  args: readonly string[],
): Promise<Awaited<ReturnType<typeof airdock>>> {
  const env = { NODE_OPTIONS: `--require=${dieAt}`, AIRDOCK_DIE_AT: place, AIRDOCK_DIE_BY: 'SIGSTOP' };
  let pid = 0;
  const done = airdock(host, [...args, '--dir', directory, '--yes'], { env, onStart: (started) => (pid = started) });
  const ended = done.then(
    () => true,
    () => true,
  );
  const over = async (): Promise<boolean> => Promise.race([ended, sleep(50, false)]);
  while (!(await standsStill(pid))) if (await over()) throw new Error(`airdock ended before it came to ${place}`);
  try {
    await act();
  } finally {
    process.kill(pid, 'SIGCONT');
  }
  await ended;
  await fired('engine', ...kindOf(args), place, fault);
  return done;
}

async function standsStill(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return /\) T /.test(stat);
}

/** `install pad-1.1.0-linux-amd64.bundle.tar` of a command line: what is being done, and to which release. */
function kindOf(args: readonly string[]): string[] {
  return args
    .filter((word) => !word.startsWith('-'))
    .slice(0, 3)
    .map((word) => basename(word));
}

export type Before = { rows: string; db: string; redis: string };

/** Rows, by columns that every release has; the containers that nothing may replace. */
export async function look(host: Host, directory: string): Promise<Before> {
  const ids = await containerIds(host, directory);
  return { rows: await fingerprint(host, directory), db: ids['db'] ?? '', redis: ids['redis'] ?? '' };
}

/** @returns the version that serves */
export async function expectCoherent(host: Host, directory: string, before: Before): Promise<string> {
  const { json: status, exitCode } = await airdock(host, ['status', '--dir', directory]);
  expect(exitCode).toBe(0);
  expect(status).toMatchObject({ interrupted: null, drift: [], phase: 'good' });
  const serving = String(status['current']);
  await healthy(host, directory, serving);
  expect(await answering(host, directory)).toBe(serving);
  const services = status['services'] as { service: string; image: string }[];
  expect(services.map(({ service }) => service)).toEqual(['api', 'db', 'redis', 'web', 'worker']);
  const own = services.filter(({ service }) => !['db', 'redis'].includes(service));
  for (const { image } of own) expect(image).toMatch(new RegExp(`:${serving}$`));
  expect(await look(host, directory)).toEqual(before);
  for (const label of ['airdock.transaction', 'airdock.scratch'])
    expect(await host.docker('ps', '-aq', '--filter', `label=${label}`)).toBe('');
  expect(await host.docker('network', 'ls', '-q', '--filter', 'label=airdock.scratch')).toBe('');
  expect(existsSync(join(directory, '.airdock/scratch'))).toBe(false);
  const sessions = `SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'airdock%'`;
  expect(await psql(host, directory, 'postgres', sessions)).toBe('0');
  const backups = await readdir(join(directory, '.airdock/backups')).catch(() => []);
  expect(backups.filter((name) => name.endsWith('.unfinished'))).toEqual([]);
  for (const id of await readdir(join(directory, '.airdock/transactions')))
    for (const side of ['before', 'after']) expect(existsSync(join(directory, '.airdock/transactions', id, side))).toBe(false);
  return serving;
}
