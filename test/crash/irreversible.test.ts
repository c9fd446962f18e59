// SIGKILL, and the machine's power with it, at exact places of an upgrade across an irreversible migration and of the way
// back (docs/adr/0008-irreversible.md). While it lies there nothing of a quiesced service runs, and the restart of the
// engine brings none of it; afterwards the right database has the live name, by its OID.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { resumeUnit } from '../../src/vm/site/boot.ts';
import { cases, fired } from '../helpers/faults.ts';
import { startHost, type Host } from '../helpers/host.ts';
import { baseState, containerIds, opt, psql, succeed } from '../helpers/deployment.ts';
import { upgradedState } from '../helpers/pad.ts';
import { padBundles } from '../helpers/releases.ts';
import { runName } from '../helpers/run-folder.ts';
import { type Before, expectCoherent, killedAt, look } from './killed.ts';

const directory = opt('pad');
let host: Host;
let releases: Awaited<ReturnType<typeof padBundles>>;
beforeAll(async () => {
  releases = await padBundles('1.0.0', '1.1.0', '2.0.0', '2.0.1');
  host = await startHost({ name: runName('vm') });
});
afterAll(() => host?.stop());

const query = (statement: string) => psql(host, directory, 'postgres', statement);
const liveOid = () => query(`SELECT oid FROM pg_database WHERE datname = 'pad'`);
const databases = async () =>
  (await query('SELECT datname, datallowconn FROM pg_database WHERE NOT datistemplate ORDER BY 1')).split('\n');
const running = async () =>
  Object.keys(await containerIds(host, directory)).filter((service) => !['db', 'redis'].includes(service));

/** The database answers again after the engine's restart. */
async function databaseUp(): Promise<void> {
  await expect.poll(() => query('SELECT 1').catch(() => 'not yet'), { timeout: 300_000, interval: 500 }).toBe('1');
}

/** No power any more, and the start of the machine afterwards. @param lies where the killed process stood */
async function powerCut(...lies: string[]): Promise<void> {
  await host.crash();
  await host.start();
  await databaseUp();
  await fired('engine', ...lies, 'power cut');
}

/** What the unit makes of it at boot. @returns the version that serves */
async function resumed(before: Before): Promise<string> {
  const command = /^ExecStart=(.*)$/m.exec(resumeUnit.text)?.[1] ?? '';
  const { exitCode, stdout } = await host.exec(command.split(' ').map((word) => word.replaceAll('%f', directory)));
  expect(exitCode, stdout).toBe(0);
  return expectCoherent(host, directory, before);
}

const all = ['api', 'web', 'worker'];

/** 2.0.0, with what 1.1.0 had kept. */
const acrossState = () =>
  baseState(host, 'across-2.0.0', [directory], async () => {
    await upgradedState(host, directory);
    await succeed(host, ['install', releases.path('2.0.0'), '--dir', directory, '--yes', '--no-rehearsal']);
  });

/** Where it is killed, which version serves in the end, what runs of the product while it lies there, where recovery is killed. */
type Case = [place: string, serves: '1.1.0' | '2.0.0', alive: string[], again?: string[]];
const kept = 'pad_1_1_0_t3';

describe('an upgrade, 1.1.0 -> 2.0.0', () => {
  let fresh = false;
  test.each(
    cases<Case>(
      [
        ['quiesce:effect', '1.1.0', []],
        ['copy:300', '1.1.0', []],
        ['swap:effect', '1.1.0', []],
        ['good:effect', '2.0.0', ['api'], ['traffic:effect', 'external:effect']],
      ],
      [
        ['migrate:700', '1.1.0', []],
        ['quiesce:intent', '1.1.0', all],
        ['copy:intent', '1.1.0', []],
        ['copy:effect', '1.1.0', []],
        ['migrate:effect', '1.1.0', []],
        ['swap:intent', '1.1.0', []],
        ['swap:200', '1.1.0', []],
        ['switch:effect', '2.0.0', []],
        ['up:effect', '2.0.0', ['api']],
        ['health:effect', '2.0.0', ['api']],
        ['traffic:intent', '2.0.0', ['api']],
        ['external:effect', '2.0.0', all],
      ],
    ),
  )('killed at %s, then no power: resume ends with %s', async (place, expected, alive, again = []) => {
    // what is kept carries the number of its transaction
    if (!fresh || expected === '2.0.0') await upgradedState(host);
    fresh = false;
    const before = await look(host, directory);
    const oid = await liveOid();
    await killedAt(host, directory, place, ['install', releases.path('2.0.0'), '--no-rehearsal']);
    await powerCut('install', '2.0.0', place);
    expect(await running()).toEqual(alive);
    for (const [index, next] of again.entries())
      await killedAt(host, directory, next, ['resume'], `after ${[place, ...again.slice(0, index)].join(', ')}`);
    expect(await resumed(before)).toBe(expected);
    fresh = expected === '1.1.0';
    const old = await query(`SELECT datname FROM pg_database WHERE oid = ${oid}`);
    const sides = {
      '1.1.0': ['pad', ['pad|t', 'postgres|t']],
      '2.0.0': [kept, ['pad|t', `${kept}|f`, 'postgres|t']],
    };
    expect([old, await databases()]).toEqual(sides[expected]);
  });
});

// A suite without a test is an error, and in CI these have none.
test.each(cases([], ['undo:intent', 'undo:700', 'undo:1500', 'undo:4000', 'undo:effect']))(
  'the automatic undo, 1.1.0 -> 2.0.1 that never becomes healthy, killed at %s: resume brings 1.1.0 back',
  async (place) => {
    await upgradedState(host);
    const before = await look(host, directory);
    const oid = await liveOid();
    await killedAt(host, directory, place, ['install', releases.path('2.0.1'), '--no-rehearsal']);
    expect(await resumed(before)).toBe('1.1.0');
    expect(await liveOid()).toBe(oid);
    expect(await databases()).toEqual(['pad|t', 'postgres|t']);
  },
);

test.each(
  cases<Case>(
    [],
    [
      ['swap:effect', '2.0.0', []],
      ['quiesce:effect', '2.0.0', []],
      ['swap:intent', '2.0.0', []],
      ['switch:effect', '1.1.0', []],
      ['up:effect', '1.1.0', ['api']],
      ['good:effect', '1.1.0', ['api']],
    ],
  ),
)(
  'a rollback, 2.0.0 -> 1.1.0, to the kept database, killed at %s, then no power: resume ends with %s',
  async (place, expected, alive) => {
    await acrossState();
    const before = await look(host, directory);
    const oid = await liveOid();
    await killedAt(host, directory, place, ['rollback', '1.1.0', '--restore-database']);
    await powerCut('rollback', '1.1.0', place);
    expect(await running()).toEqual(alive);
    expect(await resumed(before)).toBe(expected);
    expect((await liveOid()) === oid).toBe(expected === '2.0.0');
    expect(await databases()).toEqual(['pad|t', `pad_${expected === '2.0.0' ? '1_1_0_t3' : '2_0_0_t4'}|f`, 'postgres|t']);
  },
);

test.each(
  cases<[place: string, live: 'the old' | 'the restored', alive: string[]]>(
    [['restore:1500', 'the old', all]],
    [
      ['restore:intent', 'the old', all],
      ['restore:600', 'the old', all],
      ['restore:effect', 'the old', all],
      ['quiesce:intent', 'the old', all],
      ['quiesce:effect', 'the old', []],
      ['swap:intent', 'the old', []],
      ['swap:effect', 'the old', []],
      ['switch:effect', 'the restored', []],
      ['up:effect', 'the restored', ['api']],
      ['good:effect', 'the restored', ['api']],
    ],
  ),
)('backup restore, killed at %s, then no power: resume ends with %s database', async (place, expected, alive) => {
  await upgradedState(host);
  const made = await succeed(host, ['backup', 'create', '--dir', directory]);
  const before = await look(host, directory);
  const oid = await liveOid();
  await killedAt(host, directory, place, ['backup', 'restore', (made.json['backup'] as { id: string }).id]);
  await powerCut('backup restore', place);
  expect(await running()).toEqual(alive);
  expect(await resumed(before)).toBe('1.1.0');
  const now = expected === 'the old' ? 'pad' : kept;
  expect(await query(`SELECT datname FROM pg_database WHERE oid = ${oid}`)).toBe(now);
  expect(await databases()).toEqual(['pad|t', ...(expected === 'the old' ? [] : [`${kept}|f`]), 'postgres|t']);
});
