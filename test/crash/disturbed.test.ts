// What happens around airdock while it works: the engine restarts or hangs, a container is killed, the database is locked, the
// operator prunes, edits and brings things up, a second airdock comes, the clock jumps. The process stands still at an exact place
// of its journal while it happens, and goes on. Afterwards one coherent version serves, and the same command again ends well.
import { appendFile, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { airdock } from '../helpers/airdock.ts';
import { cases, fired } from '../helpers/faults.ts';
import { startHost, type Host } from '../helpers/host.ts';
import { containerIds, opt, psql } from '../helpers/deployment.ts';
import { installedState, upgradedState } from '../helpers/pad.ts';
import { padBundles } from '../helpers/releases.ts';
import { runName } from '../helpers/run-folder.ts';
import { disturbedAt, expectCoherent, killedAt, look } from './killed.ts';

const directory = opt('pad');
let host: Host;
let releases: Awaited<ReturnType<typeof padBundles>>;
beforeAll(async () => {
  releases = await padBundles('1.0.0', '1.1.0', '2.0.0');
  host = await startHost({ name: runName('vm') });
});
afterAll(() => host?.stop());

const upgrade = (): string[] => ['install', releases.path('1.1.0'), '--no-rehearsal'];
const container = async (service: string): Promise<string> => (await containerIds(host, directory))[service] ?? '';
const oneShot = async (): Promise<string> =>
  (await host.docker('ps', '-q', '--filter', 'label=com.docker.compose.oneoff=True')).trim();
const env = join(directory, '.env');
/** Nobody gets a lock on the notes until so many seconds are over. */
const lockNotes = async (seconds: number): Promise<void> => {
  void psql(host, directory, 'pad', `BEGIN; LOCK TABLE notes; SELECT pg_sleep(${seconds}); COMMIT`).catch(() => {});
  await sleep(1000);
  const held = `SELECT count(*) FROM pg_locks WHERE relation = 'notes'::regclass AND mode = 'AccessExclusiveLock' AND granted`;
  if ((await psql(host, directory, 'pad', held)) !== '1') throw new Error('the notes are not locked');
};

type Fault = { place: string; fault: string; act: () => Promise<unknown> };
const faults: Record<string, () => Promise<unknown>> = {
  'the engine restarts': () => host.restartEngine(),
  'the engine hangs for 15 s': async () => {
    const pid = Number(await readFile(`/run/airdock/${host.name}/docker.pid`, 'utf8'));
    process.kill(pid, 'SIGSTOP');
    setTimeout(() => process.kill(pid, 'SIGCONT'), 15_000);
  },
  'the api flaps': async () => {
    const id = await container('api');
    void (async () => {
      for (let times = 0; times < 3; times++) await host.docker('restart', '-t', '1', id);
    })().catch(() => {});
  },
  'pg_dump is killed': () => killNext('/cgroup', host.name, /^pg_dump\0/),
  'the client of pg_dump is killed': () =>
    killNext('/environ', `/run/airdock/${host.name}/`, /^\S*docker\0compose\0.*\0pg_dump\0/s),
  'docker image prune -af': () => host.docker('image', 'prune', '-af'),
  'docker compose up -d': () => host.compose(directory, 'up', '-d'),
  'a line is added to .env': () => appendFile(env, 'OPERATOR_WAS_HERE=1\n'),
  'the database restarts': async () => host.docker('restart', await container('db')),
  'the database is killed': async () => host.docker('kill', await container('db')),
  'redis is killed': async () => host.docker('kill', await container('redis')),
  'the api is killed': async () => host.docker('kill', await container('api')),
  'the api is removed': async () => host.docker('rm', '-f', await container('api')),
  'every session is ended': () =>
    psql(host, directory, 'postgres', 'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()'),
  'the one-shot is killed': async () => {
    const id = await oneShot();
    if (id !== '') await host.docker('kill', id).catch(() => {});
  },
  'the notes are locked for 5 s': () => lockNotes(5),
  'the notes are locked for 60 s': () => lockNotes(60),
  'another airdock comes': async () => {
    const { exitCode } = await airdock(host, [...upgrade(), '--dir', directory, '--yes']);
    if (exitCode !== 8) throw new Error(`the other one was not refused: exit ${exitCode}`);
  },
  'status and plan are asked': async () => {
    const { json } = await airdock(host, ['status', '--dir', directory]);
    if (json['interrupted'] === null) throw new Error('status does not tell of the transaction');
    await airdock(host, ['plan', releases.path('1.1.0'), '--dir', directory]);
  },
};
const at = (place: string, ...names: string[]): Fault[] =>
  names.map((fault) => ({ place, fault, act: faults[fault] ?? (() => Promise.reject(new Error(`no fault ${fault}`))) }));

/** The next process that has such a command line, and names the host in that file of it, within 30 s. */
async function killNext(file: '/cgroup' | '/environ', names: string, command: RegExp): Promise<void> {
  void (async () => {
    for (const end = Date.now() + 30_000; Date.now() < end; await sleep(2))
      for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
        const read = (what: string): Promise<string> => readFile(`/proc/${pid}${what}`, 'utf8').catch(() => '');
        if (!command.test(await read('/cmdline')) || !(await read(file)).includes(names)) continue;
        process.kill(Number(pid), 'SIGKILL');
        return;
      }
  })().catch(() => {});
}

let fresh = false;
test.each(
  cases(at('load:300', 'the engine restarts'), [
    ...at('migrate:intent', 'another airdock comes'),
    ...at('switch:intent', 'a line is added to .env'),
    ...at('import:intent', 'the engine restarts', 'docker image prune -af', 'docker compose up -d', 'a line is added to .env'),
    ...at('load:intent', 'the engine restarts', 'docker image prune -af', 'status and plan are asked', 'another airdock comes'),
    ...at('load:effect', 'docker image prune -af', 'a line is added to .env', 'docker compose up -d', 'the api is killed'),
    ...at('load:intent', 'the engine hangs for 15 s'),
    ...at('load:300', 'the engine hangs for 15 s'),
    ...at('backup:intent', 'pg_dump is killed', 'the client of pg_dump is killed', 'the engine hangs for 15 s'),
    ...at('health:300', 'the api flaps'),
    ...at('up:effect', 'the api flaps'),
    ...at('backup:150', 'the engine restarts', 'the database restarts', 'the database is killed', 'every session is ended'),
    ...at('backup:effect', 'redis is killed', 'the database restarts', 'a line is added to .env'),
    ...at('migrate:intent', 'the notes are locked for 5 s', 'the notes are locked for 60 s', 'docker image prune -af'),
    ...at('migrate:intent', 'the database is killed', 'docker compose up -d', 'the api is removed'),
    ...at('migrate:1200', 'the engine restarts', 'the one-shot is killed', 'every session is ended', 'the database restarts'),
    ...at('migrate:effect', 'the one-shot is killed', 'docker image prune -af', 'a line is added to .env', 'the api is killed'),
    ...at('switch:intent', 'the engine restarts', 'docker compose up -d', 'docker image prune -af'),
    ...at('switch:effect', 'docker image prune -af', 'docker compose up -d', 'the engine restarts', 'a line is added to .env'),
    ...at('up:intent', 'docker compose up -d', 'the database restarts', 'redis is killed'),
    ...at('up:500', 'the engine restarts', 'the database is killed', 'the api is removed', 'another airdock comes'),
    ...at('up:effect', 'the api is killed', 'the api is removed', 'docker compose up -d', 'the engine restarts'),
    ...at('health:300', 'the engine restarts', 'the api is killed', 'every session is ended', 'the database restarts'),
    ...at('health:effect', 'docker compose up -d', 'docker image prune -af', 'a line is added to .env'),
  ]),
)('an upgrade, 1.0.0 -> 1.1.0, at $place: $fault', async (disturbance) => {
  if (!fresh) await installedState(host);
  fresh = false;
  const before = await look(host, directory);
  const result = await disturbedAt(host, directory, disturbance, upgrade());
  // the engine may have been away for longer than the undo waits: then the next command goes on
  expect([0, 5, 6, 7], result.stdout + result.stderr).toContain(result.exitCode);
  if (/database is killed|redis is killed/.test(disturbance.fault)) await host.compose(directory, 'up', '-d', 'db', 'redis');
  const resumed = await airdock(host, ['resume', '--dir', directory]);
  expect(resumed.exitCode, result.stdout + result.stderr + resumed.stdout + resumed.stderr).toBe(0);
  if (/is (killed|removed)|docker image prune/.test(disturbance.fault))
    await host.compose(directory, 'up', '-d', '--no-recreate');
  const same = { ...before, ...(await replacedByHand(disturbance.fault)) };
  const serves = await expectCoherent(host, directory, same);
  expect(serves).toBe(result.exitCode === 0 ? '1.1.0' : serves);
  expect((await readFile(env, 'utf8')).includes('OPERATOR_WAS_HERE=1')).toBe(disturbance.fault.includes('.env'));
  const again = await airdock(host, [...upgrade(), '--dir', directory, '--yes']);
  expect(again.exitCode, again.stdout + again.stderr).toBe(0);
  expect(await expectCoherent(host, directory, same)).toBe('1.1.0');
});

/** Ids that somebody else than airdock changed. */
async function replacedByHand(fault: string): Promise<{ db?: string; redis?: string }> {
  if (!/is killed|engine restarts/.test(fault)) return {};
  const { db = '', redis = '' } = await containerIds(host, directory);
  return { db, redis };
}

test.each(
  cases(
    [],
    [
      ['quiesce:effect', 'the engine restarts'],
      ['copy:300', 'the engine restarts'],
      ['swap:intent', 'the engine restarts'],
      ['swap:effect', 'the engine restarts'],
      ['quiesce:effect', 'every session is ended'],
      ['copy:300', 'every session is ended'],
      ['quiesce:effect', 'a line is added to .env'],
      ['traffic:intent', 'the engine restarts'],
    ],
  ),
)('an irreversible upgrade, 1.1.0 -> 2.0.0, at %s: %s', async (place, fault) => {
  await upgradedState(host);
  const before = await look(host, directory);
  const [disturbance] = at(place, fault);
  const result = await disturbedAt(host, directory, disturbance!, ['install', releases.path('2.0.0'), '--no-rehearsal']);
  expect([0, 5, 6, 7], result.stdout + result.stderr).toContain(result.exitCode);
  const resumed = await airdock(host, ['resume', '--dir', directory]);
  expect(resumed.exitCode, result.stdout + result.stderr + resumed.stdout + resumed.stderr).toBe(0);
  expect(['1.1.0', '2.0.0']).toContain(await expectCoherent(host, directory, before));
  const again = await airdock(host, ['install', releases.path('2.0.0'), '--no-rehearsal', '--dir', directory, '--yes']);
  expect(again.exitCode, again.stdout + again.stderr).toBe(0);
  expect(await expectCoherent(host, directory, before)).toBe('2.0.0');
});

const clock = join(import.meta.dirname, 'clock.cjs');
test.each(
  cases<[jump: number, place: string]>(
    [],
    [
      [10, 'switch:effect'],
      [-10, 'switch:effect'],
      [10, 'migrate:effect'],
      [-10, 'backup:effect'],
    ],
  ),
)('the clock is %i years away when what was killed at %s is resumed', async (years, place) => {
  await installedState(host);
  const before = await look(host, directory);
  await killedAt(host, directory, place, upgrade(), `clock ${years}`);
  const other = { env: { NODE_OPTIONS: `--require=${clock}`, AIRDOCK_CLOCK_YEARS: String(years) } };
  const resumed = await airdock(host, ['resume', '--dir', directory], other);
  expect(resumed.exitCode, resumed.stdout + resumed.stderr).toBe(0);
  const again = await airdock(host, [...upgrade(), '--dir', directory, '--yes'], other);
  expect(again.exitCode, again.stdout + again.stderr).toBe(0);
  expect(await expectCoherent(host, directory, before)).toBe('1.1.0');
  const back = await airdock(host, ['rollback', '1.0.0', '--dir', directory, '--yes']);
  expect(back.exitCode, back.stdout + back.stderr).toBe(0);
  expect(await expectCoherent(host, directory, before)).toBe('1.0.0');
  await fired('engine', 'resume and install', place, `clock ${years} years`);
});
