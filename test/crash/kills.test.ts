// SIGKILL at exact places of the journal (die-at.cjs) in every step of an upgrade, of the automatic undo and of a rollback,
// on the real engine. Afterwards: one coherent version serves, every row is there, the database's container is the same,
// nothing that the killed process started is left, and the records say the truth.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { airdock } from '../helpers/airdock.ts';
import { cases } from '../helpers/faults.ts';
import { startHost, type Host } from '../helpers/host.ts';
import { answering, opt } from '../helpers/deployment.ts';
import { installedState, upgradedState } from '../helpers/pad.ts';
import { padBundles } from '../helpers/releases.ts';
import { runName } from '../helpers/run-folder.ts';
import { expectCoherent, killedAt, look } from './killed.ts';

const directory = opt('pad');
let host: Host;
let releases: Awaited<ReturnType<typeof padBundles>>;

beforeAll(async () => {
  releases = await padBundles('1.0.0', '1.1.0', '1.1.2');
  host = await startHost({ name: runName('vm') });
});
afterAll(() => host?.stop());

/** The rehearsal takes time: only where the kill is to hit it. */
const upgrade = (version: string, place: string): string[] => [
  'install',
  releases.path(version),
  ...(place.startsWith('rehearse') ? [] : ['--no-rehearsal']),
];

async function current(): Promise<string> {
  return String((await airdock(host, ['status', '--dir', directory])).json['current']);
}

describe('an upgrade of class expand, 1.0.0 -> 1.1.0', () => {
  let fresh = false;
  beforeAll(() => installedState(host).then(() => void (fresh = true)));

  test.each(
    cases(
      [
        ['load:effect', '1.0.0'],
        ['backup:300', '1.0.0'],
        ['rehearse:2000', '1.0.0'],
        ['migrate:600', '1.0.0'],
        ['switch:effect', '1.1.0'],
      ],
      [
        ['up:900', '1.1.0'],
        ['health:effect', '1.1.0'],
        ['good:effect', '1.1.0'],
        ['import:effect', '1.0.0'],
        ['import:intent', '1.0.0'],
        ['load:intent', '1.0.0'],
        ['backup:intent', '1.0.0'],
        ['backup:effect', '1.0.0'],
        ['rehearse:intent', '1.0.0'],
        ['rehearse:4000', '1.0.0'],
        ['rehearse:effect', '1.0.0'],
        ['migrate:intent', '1.0.0'],
        ['migrate:effect', '1.0.0'],
        ['switch:intent', '1.1.0'],
        ['up:intent', '1.1.0'],
        ['up:effect', '1.1.0'],
        ['health:intent', '1.1.0'],
      ],
    ),
  )('killed at %s: resume ends with %s', async (place, expected) => {
    if (!fresh) await installedState(host);
    fresh = false;
    const before = await look(host, directory);
    await killedAt(host, directory, place, upgrade('1.1.0', place));
    // nothing that serves was touched before the switch; after it, containers may be half way
    expect(expected === '1.0.0' ? await answering(host, directory) : '1.0.0').toBe('1.0.0');
    const { json: interrupted } = await airdock(host, ['status', '--dir', directory]);
    expect(interrupted).toMatchObject({ interrupted: { kind: 'upgrade', from: '1.0.0', to: '1.1.0' } });
    const resumed = await airdock(host, ['resume', '--dir', directory]);
    expect(resumed.exitCode, resumed.stdout + resumed.stderr).toBe(0);
    expect(resumed.json, resumed.stderr).toMatchObject({ recovered: { outcome: expected === '1.0.0' ? 'undone' : 'done' } });
    expect(await expectCoherent(host, directory, before)).toBe(expected);
    fresh = expected === '1.0.0';
  });

  test.each(cases([], ['migrate:effect']))('killed at %s: the same command again finishes the upgrade', async (place) => {
    if (!fresh) await installedState(host);
    const before = await look(host, directory);
    await killedAt(host, directory, place, upgrade('1.1.0', 'migrate'));
    const again = await airdock(host, [...upgrade('1.1.0', 'migrate'), '--dir', directory, '--yes']);
    expect(again.exitCode).toBe(0);
    expect(again.json).toMatchObject({ current: '1.1.0', changed: true, recovered: { outcome: 'undone' } });
    expect(await expectCoherent(host, directory, before)).toBe('1.1.0');
  });
});

describe('the automatic undo, 1.0.0 -> 1.1.2 that never becomes healthy', () => {
  test.each(cases(['undo:1500'], ['undo:intent', 'undo:effect']))('killed at %s: resume brings 1.0.0 back', async (place) => {
    await installedState(host);
    const before = await look(host, directory);
    await killedAt(host, directory, place, upgrade('1.1.2', place));
    const resumed = await airdock(host, ['resume', '--dir', directory]);
    expect(resumed.exitCode).toBe(0);
    expect(resumed.json).toMatchObject({ recovered: { outcome: 'rolled-back' } });
    expect(await expectCoherent(host, directory, before)).toBe('1.0.0');
  });
});

describe('a rollback, 1.1.0 -> 1.0.0', () => {
  test.each(
    cases(
      [['up:900', '1.0.0']],
      [
        ['switch:intent', '1.0.0'],
        ['load:intent', '1.1.0'],
        ['health:effect', '1.0.0'],
        ['good:effect', '1.0.0'],
        ['load:effect', '1.1.0'],
        ['switch:effect', '1.0.0'],
        ['up:intent', '1.0.0'],
        ['up:effect', '1.0.0'],
        ['health:intent', '1.0.0'],
      ],
    ),
  )('killed at %s: the same command again ends with 1.0.0', async (place, afterRecovery) => {
    await upgradedState(host);
    const before = await look(host, directory);
    await killedAt(host, directory, place, ['rollback', '1.0.0']);
    expect(afterRecovery === '1.1.0' ? await answering(host, directory) : '1.1.0').toBe('1.1.0');
    expect(await current()).toBe(afterRecovery);
    const again = await airdock(host, ['rollback', '1.0.0', '--dir', directory, '--yes']);
    expect(again.exitCode).toBe(0);
    expect(again.json, again.stdout + again.stderr).toMatchObject({ current: '1.0.0', changed: afterRecovery === '1.1.0' });
    expect(await expectCoherent(host, directory, before)).toBe('1.0.0');
  });
});
