// SIGKILL at exact places of the journal (die-at.cjs) in every step of an upgrade, of the automatic undo and of a rollback,
// on the real engine. Afterwards: one coherent version serves, every row is there, the database's container is the same,
// nothing that the killed process started is left, and the records say the truth.
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { airdock, executable } from '../helpers/airdock.ts';
import { startHost, type Host } from '../helpers/host.ts';
import { answering, containerIds, fingerprint, healthy, installedState, opt, sql, upgradedState } from '../helpers/nodepad.ts';
import { bundles } from '../helpers/releases.ts';
import { runName } from '../helpers/run-folder.ts';

const dieAt = join(import.meta.dirname, 'die-at.cjs');
const directory = opt();
/** One place in each step in CI; all of them with `scripts/test --faults`. */
const all = process.env['AIRDOCK_FAULTS'] === '1';
const places = <Case extends readonly [string, string]>(often: readonly Case[], rarely: readonly Case[]): Case[] => [
  ...often,
  ...(all ? rarely : []),
];
let host: Host;
let releases: Awaited<ReturnType<typeof bundles>>;

beforeAll(async () => {
  releases = await bundles('0.2.4', '0.3.0', '0.3.2');
  host = await startHost({ name: runName('vm') });
});
afterAll(() => host?.stop());

/** Ends when the process was killed at that place; a place that is never reached is a failure of the test. */
async function killedAt(place: string, args: readonly string[]): Promise<void> {
  const child = host.spawn([await executable(), ...args, '--dir', directory, '--yes', '--json'], {
    stdio: 'ignore',
    env: { NODE_OPTIONS: `--require=${dieAt}`, AIRDOCK_DIE_AT: place },
  });
  const [, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
  expect(signal, `airdock ended before it came to ${place}`).toBe('SIGKILL');
}

/** The rehearsal takes time: only where the kill is to hit it. */
const upgrade = (version: string, place: string): string[] => [
  'install',
  releases.path(version),
  ...(place.startsWith('rehearse') ? [] : ['--no-rehearsal']),
];

type Before = { rows: string; db: string; redis: string };

async function look(): Promise<Before> {
  const ids = await containerIds(host, directory);
  return { rows: await fingerprint(host, directory), db: ids['db'] ?? '', redis: ids['redis'] ?? '' };
}

/** @returns the version that serves */
async function expectCoherent(before: Before): Promise<string> {
  const { json: status, exitCode } = await airdock(host, ['status', '--dir', directory]);
  expect(exitCode).toBe(0);
  expect(status).toMatchObject({ interrupted: null, drift: [], phase: 'good' });
  const serving = String(status['current']);
  await healthy(host, directory, serving);
  expect(await answering(host, directory)).toBe(serving);
  const services = status['services'] as { service: string; image: string }[];
  expect(services.map(({ service }) => service)).toEqual(['api', 'beat', 'db', 'frontend', 'redis', 'worker']);
  for (const { image } of services.filter((one) => one.image.includes('nodepad-')))
    expect(image).toMatch(new RegExp(`:${serving}$`));
  expect(await look()).toEqual(before);
  for (const label of ['airdock.transaction', 'airdock.scratch'])
    expect(await host.docker('ps', '-aq', '--filter', `label=${label}`)).toBe('');
  expect(await host.docker('network', 'ls', '-q', '--filter', 'label=airdock.scratch')).toBe('');
  expect(existsSync(join(directory, '.airdock/scratch'))).toBe(false);
  expect(await sql(host, directory, `SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'airdock%'`)).toBe('0');
  expect(
    (await readdir(join(directory, '.airdock/backups')).catch(() => [])).filter((name) => name.endsWith('.unfinished')),
  ).toEqual([]);
  for (const id of await readdir(join(directory, '.airdock/transactions')))
    for (const side of ['before', 'after']) expect(existsSync(join(directory, '.airdock/transactions', id, side))).toBe(false);
  return serving;
}

async function current(): Promise<string> {
  return String((await airdock(host, ['status', '--dir', directory])).json['current']);
}

describe('an upgrade of class expand, 0.2.4 -> 0.3.0', () => {
  let fresh = false;
  beforeAll(() => installedState(host).then(() => void (fresh = true)));

  test.each(
    places(
      [
        ['import:effect', '0.2.4'],
        ['load:effect', '0.2.4'],
        ['backup:300', '0.2.4'],
        ['rehearse:3000', '0.2.4'],
        ['migrate:600', '0.2.4'],
        ['switch:effect', '0.3.0'],
        ['up:900', '0.3.0'],
        ['health:effect', '0.3.0'],
        ['good:effect', '0.3.0'],
      ],
      [
        ['import:intent', '0.2.4'],
        ['load:intent', '0.2.4'],
        ['backup:intent', '0.2.4'],
        ['backup:effect', '0.2.4'],
        ['rehearse:intent', '0.2.4'],
        ['rehearse:8000', '0.2.4'],
        ['rehearse:effect', '0.2.4'],
        ['migrate:intent', '0.2.4'],
        ['migrate:effect', '0.2.4'],
        ['switch:intent', '0.3.0'],
        ['up:intent', '0.3.0'],
        ['up:effect', '0.3.0'],
        ['health:intent', '0.3.0'],
      ],
    ),
  )('killed at %s: resume ends with %s', async (place, expected) => {
    if (!fresh) await installedState(host);
    const before = await look();
    await killedAt(place, upgrade('0.3.0', place));
    // nothing that serves was touched before the switch; after it, containers may be half way
    expect(expected === '0.2.4' ? await answering(host, directory) : '0.2.4').toBe('0.2.4');
    const { json: interrupted } = await airdock(host, ['status', '--dir', directory]);
    expect(interrupted).toMatchObject({ interrupted: { kind: 'upgrade', from: '0.2.4', to: '0.3.0' } });
    const resumed = await airdock(host, ['resume', '--dir', directory]);
    expect(resumed.exitCode).toBe(0);
    expect(resumed.json, resumed.stderr).toMatchObject({ recovered: { outcome: expected === '0.2.4' ? 'undone' : 'done' } });
    expect(await expectCoherent(before)).toBe(expected);
    fresh = expected === '0.2.4';
  });

  test('killed at migrate:effect: the same command again finishes the upgrade', async () => {
    if (!fresh) await installedState(host);
    const before = await look();
    await killedAt('migrate:effect', upgrade('0.3.0', 'migrate'));
    const again = await airdock(host, [...upgrade('0.3.0', 'migrate'), '--dir', directory, '--yes']);
    expect(again.exitCode).toBe(0);
    expect(again.json).toMatchObject({ current: '0.3.0', changed: true, recovered: { outcome: 'undone' } });
    expect(await expectCoherent(before)).toBe('0.3.0');
  });
});

describe('the automatic undo, 0.2.4 -> 0.3.2 that never becomes healthy', () => {
  test.each(all ? ['undo:intent', 'undo:1500', 'undo:effect'] : ['undo:1500'])(
    'killed at %s: resume brings 0.2.4 back',
    async (place) => {
      await installedState(host);
      const before = await look();
      await killedAt(place, upgrade('0.3.2', place));
      const resumed = await airdock(host, ['resume', '--dir', directory]);
      expect(resumed.exitCode).toBe(0);
      expect(resumed.json).toMatchObject({ recovered: { outcome: 'rolled-back' } });
      expect(await expectCoherent(before)).toBe('0.2.4');
    },
  );
});

describe('a rollback, 0.3.0 -> 0.2.4', () => {
  test.each(
    places(
      [
        ['load:intent', '0.3.0'],
        ['switch:intent', '0.2.4'],
        ['up:900', '0.2.4'],
        ['health:effect', '0.2.4'],
        ['good:effect', '0.2.4'],
      ],
      [
        ['load:effect', '0.3.0'],
        ['switch:effect', '0.2.4'],
        ['up:intent', '0.2.4'],
        ['up:effect', '0.2.4'],
        ['health:intent', '0.2.4'],
      ],
    ),
  )('killed at %s: the same command again ends with 0.2.4', async (place, afterRecovery) => {
    await upgradedState(host);
    const before = await look();
    await killedAt(place, ['rollback', '0.2.4']);
    expect(afterRecovery === '0.3.0' ? await answering(host, directory) : '0.3.0').toBe('0.3.0');
    expect(await current()).toBe(afterRecovery);
    const again = await airdock(host, ['rollback', '0.2.4', '--dir', directory, '--yes']);
    expect(again.exitCode).toBe(0);
    expect(again.json).toMatchObject({ current: '0.2.4', changed: afterRecovery === '0.3.0' });
    expect(await expectCoherent(before)).toBe('0.2.4');
  });
});
