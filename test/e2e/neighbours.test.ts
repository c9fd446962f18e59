// A good neighbour: two deployments and a foreign project that uses another `postgres:15`, on one host. Upgrades and
// rollbacks of one leave every container of the others as it was, also after their own `docker compose up -d`.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { airdock, patchedAirdock } from '../helpers/airdock.ts';
import { cases } from '../helpers/faults.ts';
import { startHost, type Host } from '../helpers/host.ts';
import { answering, baseState, containerIds, opt } from '../helpers/deployment.ts';
import { fingerprint, installed, seed } from '../helpers/pad.ts';
import { padBundles } from '../helpers/releases.ts';
import { runName } from '../helpers/run-folder.ts';

const [ours, other, foreign] = [opt('ours'), opt('other'), opt('foreign')];
let host: Host;
let releases: Awaited<ReturnType<typeof padBundles>>;

beforeAll(async () => {
  releases = await padBundles('1.0.0', '1.1.0');
  host = await startHost({ name: runName('street') });
  await baseState(host, 'neighbours', [ours, other], async () => {
    await installed(host, '1.0.0', ours);
    await installed(host, '1.0.0', other, { port: 8091 });
    await seed(host, ours, { rows: 200 });
    await seed(host, other, { rows: 200 });
  });
  await foreignStack();
});
afterAll(() => host?.stop());

/** Somebody else's `postgres:15`: another image under that name, made here out of one that is there. */
async function foreignStack(): Promise<void> {
  const images = await host.docker('images', '--format', '{{.Repository}}:{{.Tag}}');
  const base = images.split('\n').find((name) => name.startsWith('airdock.invalid/pad/postgres:')) ?? '';
  await mkdir(foreign, { recursive: true });
  await writeFile(join(foreign, 'Dockerfile'), `FROM ${base}\nLABEL owner=foreign\n`);
  await host.exec(['docker', 'build', '-q', '-t', 'postgres:15', foreign], { env: { DOCKER_BUILDKIT: '0' } });
  await writeFile(
    join(foreign, 'compose.yaml'),
    'services:\n  db:\n    image: postgres:15\n    restart: always\n    environment: { POSTGRES_PASSWORD: foreign, POSTGRES_USER: pad, POSTGRES_DB: pad }\n',
  );
  await host.compose(foreign, 'up', '-d', '--pull', 'never');
}

type Street = { other: Record<string, string>; foreign: Record<string, string>; rows: string; tag: string };
async function look(): Promise<Street> {
  return {
    other: await containerIds(host, other),
    foreign: await containerIds(host, foreign),
    rows: await fingerprint(host, other),
    tag: await host.docker('image', 'inspect', '-f', '{{.Id}}', 'postgres:15'),
  };
}

/** Their owners do what they always do. */
async function theirUp(): Promise<void> {
  await host.compose(other, 'up', '-d', '--pull', 'never');
  await host.compose(foreign, 'up', '-d', '--pull', 'never');
}

test('an upgrade and a rollback of one leave the others alone, also after their own `up -d`', async () => {
  const before = await look();
  const own = await containerIds(host, ours);
  for (const args of [
    ['install', releases.path('1.1.0'), '--no-rehearsal'],
    ['rollback', '1.0.0'],
  ]) {
    const done = await airdock(host, [...args, '--dir', ours, '--yes']);
    expect(done.exitCode, done.stdout + done.stderr).toBe(0);
    expect(await look()).toEqual(before);
    await theirUp();
    expect(await look()).toEqual(before);
    expect(await containerIds(host, ours)).toMatchObject({ db: own['db'], redis: own['redis'] });
  }
  expect(await answering(host, other)).toBe('1.0.0');
});

test('a directory cannot take the project of another one', async () => {
  const before = await look();
  const args = [
    'install',
    releases.path('1.1.0'),
    '--dir',
    opt('third'),
    '--project',
    'other',
    '--trust',
    releases.trust,
    '--yes',
  ];
  const refused = await airdock(host, args);
  expect(refused.exitCode).toBe(5);
  expect(JSON.stringify(refused.json)).toContain('ADOPTION_NEEDED');
  expect(await look()).toEqual(before);
});

test.each(cases([], ['without private names']))(
  '%s this test would be red: the foreign database is made anew on our image',
  async () => {
    const program = await patchedAirdock('public-names', [
      {
        file: 'src/vm/images/names.ts',
        from: 'return chosen.map((entry) => {',
        to: 'return chosen.map((entry) => {\n    if (entry) return { ...entry, name: entry.image.reference, private: false };',
      },
      { file: 'src/vm/images/load-release.ts', from: '  await assertNamesOurs(site, version, images);\n', to: '' },
    ]);
    const before = await look();
    await airdock(host, ['install', releases.path('1.1.0'), '--dir', ours, '--yes'], { program });
    await theirUp();
    const after = await look();
    expect(after.tag).not.toBe(before.tag);
    expect(after.foreign).not.toEqual(before.foreign);
  },
);
