// SIGKILL at exact places of a first install and of an adoption; recovery that is killed itself; signals that airdock takes.
// Whatever it was, the same command again, or `resume`, ends with one coherent version, and nothing of the operator's is lost.
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { airdock } from '../helpers/airdock.ts';
import { cases } from '../helpers/faults.ts';
import { startHost, type Host } from '../helpers/host.ts';
import { answering, containerIds, healthy, opt } from '../helpers/deployment.ts';
import * as nodepad from '../helpers/nodepad.ts';
import { installedState } from '../helpers/pad.ts';
import { bundles, padBundles } from '../helpers/releases.ts';
import { runName } from '../helpers/run-folder.ts';
import { expectCoherent, killedAt, look, signalledAt } from './killed.ts';

const directory = opt('pad');
let host: Host;
let releases: Awaited<ReturnType<typeof padBundles>>;
beforeAll(async () => {
  releases = await padBundles('1.0.0', '1.1.0');
  host = await startHost({ name: runName('vm') });
});
afterAll(() => host?.stop());

const resume = () => airdock(host, ['resume', '--dir', directory]);
const password = async () =>
  /^POSTGRES_PASSWORD=(.*)$/m.exec(await readFile(join(directory, '.env'), 'utf8').catch(() => ''))?.[1];

describe('a first install', () => {
  const install = () => ['install', releases.path('1.0.0'), '--trust', releases.trust];
  beforeEach(async () => {
    const ids = (await host.docker('ps', '-aq')).split('\n').filter(Boolean);
    if (ids.length > 0) await host.docker('rm', '-fv', ...ids);
    await host.docker('volume', 'prune', '-af').catch(() => host.docker('volume', 'prune', '-f'));
    await host.docker('image', 'prune', '-af');
    await rm(directory, { recursive: true, force: true });
  });

  test.each(
    cases(
      ['migrate:600'],
      [
        'import:intent',
        'import:effect',
        'load:500',
        'load:effect',
        'switch:intent',
        'switch:effect',
        'dependencies:500',
        'dependencies:effect',
        'migrate:effect',
        'up:500',
        'up:effect',
        'health:effect',
        'good:effect',
      ],
    ),
  )('killed at %s: the same command again ends with 1.0.0, with the secrets that the volumes know', async (place) => {
    await killedAt(host, directory, place, install());
    const before = await password();
    const again = await airdock(host, [...install(), '--dir', directory, '--yes']);
    expect(again.exitCode, again.stdout + again.stderr).toBe(0);
    await healthy(host, directory, '1.0.0');
    expect(before === undefined ? undefined : await password()).toBe(before);
    expect(await expectCoherent(host, directory, await look(host, directory))).toBe('1.0.0');
  });
});

const handMade = opt();
let made: Awaited<ReturnType<typeof bundles>>;
const adopt = () => ['adopt', '--bundle', made.path('0.2.4'), '--trust', made.trust];
// NodePad, whose bundles know the deployments that were made by hand; in CI there is one of these in test/engine/adopt.test.ts
test.each(cases([], ['files:effect', 'import:intent', 'import:effect', 'files:intent']))(
  'an adoption, killed at %s: the same command again takes it over; no container was touched',
  async (place) => {
    made = await bundles('0.2.4');
    await nodepad.handMadeState(host, handMade);
    const rows = await nodepad.fingerprint(host, handMade);
    const ids = await containerIds(host, handMade);
    await killedAt(host, handMade, place, adopt());
    expect(await answering(host, handMade)).toBe('0.2.4');
    const again = await airdock(host, [...adopt(), '--dir', handMade, '--yes']);
    expect(again.exitCode, again.stdout + again.stderr).toBe(0);
    expect(await containerIds(host, handMade)).toEqual(ids);
    expect(await nodepad.fingerprint(host, handMade)).toBe(rows);
    expect((await airdock(host, ['status', '--dir', handMade])).exitCode).toBe(0);
  },
);

describe('recovery of an upgrade, 1.0.0 -> 1.1.0', () => {
  const upgrade = () => ['install', releases.path('1.1.0'), '--no-rehearsal'];
  test.each(
    cases<{ first: string; itself: string[]; serves: '1.0.0' | '1.1.0' }>(
      [{ first: 'switch:effect', itself: ['up:effect', 'health:effect', 'good:effect'], serves: '1.1.0' }],
      [
        { first: 'migrate:effect', itself: ['undo:intent'], serves: '1.0.0' },
        { first: 'migrate:effect', itself: ['undo:effect'], serves: '1.0.0' },
        { first: 'backup:300', itself: ['undo:intent', 'undo:effect'], serves: '1.0.0' },
        { first: 'switch:intent', itself: ['load:effect', 'load:intent', 'switch:intent'], serves: '1.1.0' },
        { first: 'switch:effect', itself: ['switch:effect', 'up:600'], serves: '1.1.0' },
        { first: 'up:900', itself: ['up:intent', 'up:effect'], serves: '1.1.0' },
        { first: 'up:effect', itself: ['health:intent', 'good:effect'], serves: '1.1.0' },
        { first: 'health:effect', itself: ['good:effect'], serves: '1.1.0' },
      ],
    ),
  )('killed at $first, and itself at $itself: the next one ends with $serves', async ({ first, itself, serves }) => {
    await installedState(host);
    const before = await look(host, directory);
    await killedAt(host, directory, first, upgrade());
    const places = [first];
    for (const place of itself) {
      await killedAt(host, directory, place, ['resume'], `after ${places.join(', ')}`);
      places.push(place);
    }
    const resumed = await resume();
    expect(resumed.exitCode, resumed.stdout + resumed.stderr).toBe(0);
    expect(await expectCoherent(host, directory, before)).toBe(serves);
  });
});

describe('a signal during an upgrade, 1.0.0 -> 1.1.0', () => {
  test.each(
    cases<[signal: NodeJS.Signals, place: string, code: number, serves: '1.0.0' | '1.1.0']>(
      [['SIGTERM', 'migrate:400', 130, '1.0.0']],
      [
        ['SIGINT', 'import:intent', 130, '1.0.0'],
        ['SIGINT', 'backup:300', 130, '1.0.0'],
        ['SIGINT', 'rehearse:3000', 130, '1.0.0'],
        ['SIGTERM', 'load:intent', 130, '1.0.0'],
        ['SIGTERM', 'up:400', 130, '1.0.0'],
        ['SIGINT', 'health:500', 130, '1.0.0'],
        ['SIGHUP', 'migrate:300', 0, '1.1.0'],
        ['SIGHUP', 'up:300', 0, '1.1.0'],
      ],
    ),
  )('%s at %s: exit code %i, and %s serves', async (signal, place, code, expected) => {
    await installedState(host);
    const before = await look(host, directory);
    const rehearsed = place.startsWith('rehearse') ? [] : ['--no-rehearsal'];
    const result = await signalledAt(host, directory, { place, signal }, ['install', releases.path('1.1.0'), ...rehearsed]);
    expect(result.exitCode, result.stdout + result.stderr).toBe(code);
    expect(await expectCoherent(host, directory, before)).toBe(expected);
  });
});
