// SIGKILL at exact places of the journal (die-at.cjs) in every step of an upgrade, of the automatic undo and of a rollback,
// on the real engine. Afterwards: one coherent version serves, every row is there, the database's container is the same,
// nothing that the killed process started is left, and the records say the truth.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { airdock } from '../helpers/airdock.ts';
import { cases } from '../helpers/faults.ts';
import { startHost, type Host } from '../helpers/host.ts';
import { answering, installedState, opt, upgradedState } from '../helpers/nodepad.ts';
import { bundles } from '../helpers/releases.ts';
import { runName } from '../helpers/run-folder.ts';
import { expectCoherent, killedAt, look } from './killed.ts';

const directory = opt();
let host: Host;
let releases: Awaited<ReturnType<typeof bundles>>;

beforeAll(async () => {
  releases = await bundles('0.2.4', '0.3.0', '0.3.2');
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

describe('an upgrade of class expand, 0.2.4 -> 0.3.0', () => {
  let fresh = false;
  beforeAll(() => installedState(host).then(() => void (fresh = true)));

  test.each(
    cases(
      [
        ['load:effect', '0.2.4'],
        ['backup:300', '0.2.4'],
        ['rehearse:2000', '0.2.4'],
        ['migrate:600', '0.2.4'],
        ['switch:effect', '0.3.0'],
      ],
      [
        ['up:900', '0.3.0'],
        ['health:effect', '0.3.0'],
        ['good:effect', '0.3.0'],
        ['import:effect', '0.2.4'],
        ['import:intent', '0.2.4'],
        ['load:intent', '0.2.4'],
        ['backup:intent', '0.2.4'],
        ['backup:effect', '0.2.4'],
        ['rehearse:intent', '0.2.4'],
        ['rehearse:4000', '0.2.4'],
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
    fresh = false;
    const before = await look(host, directory);
    await killedAt(host, directory, place, upgrade('0.3.0', place));
    // nothing that serves was touched before the switch; after it, containers may be half way
    expect(expected === '0.2.4' ? await answering(host, directory) : '0.2.4').toBe('0.2.4');
    const { json: interrupted } = await airdock(host, ['status', '--dir', directory]);
    expect(interrupted).toMatchObject({ interrupted: { kind: 'upgrade', from: '0.2.4', to: '0.3.0' } });
    const resumed = await airdock(host, ['resume', '--dir', directory]);
    expect(resumed.exitCode, resumed.stdout + resumed.stderr).toBe(0);
    expect(resumed.json, resumed.stderr).toMatchObject({ recovered: { outcome: expected === '0.2.4' ? 'undone' : 'done' } });
    expect(await expectCoherent(host, directory, before)).toBe(expected);
    fresh = expected === '0.2.4';
  });

  test.each(cases([], ['migrate:effect']))('killed at %s: the same command again finishes the upgrade', async (place) => {
    if (!fresh) await installedState(host);
    const before = await look(host, directory);
    await killedAt(host, directory, place, upgrade('0.3.0', 'migrate'));
    const again = await airdock(host, [...upgrade('0.3.0', 'migrate'), '--dir', directory, '--yes']);
    expect(again.exitCode).toBe(0);
    expect(again.json).toMatchObject({ current: '0.3.0', changed: true, recovered: { outcome: 'undone' } });
    expect(await expectCoherent(host, directory, before)).toBe('0.3.0');
  });
});

describe('the automatic undo, 0.2.4 -> 0.3.2 that never becomes healthy', () => {
  test.each(cases(['undo:1500'], ['undo:intent', 'undo:effect']))('killed at %s: resume brings 0.2.4 back', async (place) => {
    await installedState(host);
    const before = await look(host, directory);
    await killedAt(host, directory, place, upgrade('0.3.2', place));
    const resumed = await airdock(host, ['resume', '--dir', directory]);
    expect(resumed.exitCode).toBe(0);
    expect(resumed.json).toMatchObject({ recovered: { outcome: 'rolled-back' } });
    expect(await expectCoherent(host, directory, before)).toBe('0.2.4');
  });
});

describe('a rollback, 0.3.0 -> 0.2.4', () => {
  test.each(
    cases(
      [['up:900', '0.2.4']],
      [
        ['switch:intent', '0.2.4'],
        ['load:intent', '0.3.0'],
        ['health:effect', '0.2.4'],
        ['good:effect', '0.2.4'],
        ['load:effect', '0.3.0'],
        ['switch:effect', '0.2.4'],
        ['up:intent', '0.2.4'],
        ['up:effect', '0.2.4'],
        ['health:intent', '0.2.4'],
      ],
    ),
  )('killed at %s: the same command again ends with 0.2.4', async (place, afterRecovery) => {
    await upgradedState(host);
    const before = await look(host, directory);
    await killedAt(host, directory, place, ['rollback', '0.2.4']);
    expect(afterRecovery === '0.3.0' ? await answering(host, directory) : '0.3.0').toBe('0.3.0');
    expect(await current()).toBe(afterRecovery);
    const again = await airdock(host, ['rollback', '0.2.4', '--dir', directory, '--yes']);
    expect(again.exitCode).toBe(0);
    expect(again.json, again.stdout + again.stderr).toMatchObject({ current: '0.2.4', changed: afterRecovery === '0.3.0' });
    expect(await expectCoherent(host, directory, before)).toBe('0.2.4');
  });
});
