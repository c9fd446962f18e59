// Fail fast, fail safe: whatever goes wrong, the old version serves, every row is there, and the exit code says what kind
// of thing it was (docs/OPERATIONS.md section 5).
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { airdock, patchedAirdock } from '../helpers/airdock.ts';
import { entriesOf, flipBit } from '../helpers/damage.ts';
import { cases } from '../helpers/faults.ts';
import { type Host, startHost } from '../helpers/host.ts';
import { answering, containerIds, healthy, opt } from '../helpers/deployment.ts';
import { fingerprint, installedState, seed } from '../helpers/pad.ts';
import { pad, padBundles, variant } from '../helpers/releases.ts';
import { runFolder, runName } from '../helpers/run-folder.ts';
import { expectSwitch, expectUntouched, watched } from '../helpers/serving.ts';

const directory = opt('pad');
let host: Host;
let releases: Awaited<ReturnType<typeof padBundles>>;
beforeAll(async () => {
  releases = await padBundles('1.0.0', '1.1.0', '1.1.1', '1.1.2');
  host = await startHost({ name: runName('vm') });
});
afterAll(() => host?.stop());

/** Without the rehearsal, which has a test of its own: here the later steps are to fail. */
const upgrade = (bundle: string) => airdock(host, ['install', bundle, '--dir', directory, '--yes', '--no-rehearsal']);
type Before = { rows: string; ids: Record<string, string>; env: string; compose: string };
const look = async (): Promise<Before> => ({
  rows: await fingerprint(host, directory),
  ids: await containerIds(host, directory),
  env: await readFile(join(directory, '.env'), 'utf8'),
  compose: await readFile(join(directory, 'compose.yaml'), 'utf8'),
});

async function expectGood(): Promise<void> {
  expect(await airdock(host, ['status', '--dir', directory])).toMatchObject({
    exitCode: 0,
    json: { current: '1.0.0', phase: 'good', drift: [], interrupted: null },
  });
}

describe('of the release', () => {
  test('1.1.1: a migration that fails on this data; the old version answered every request', async () => {
    await installedState(host);
    await seed(host, directory, { rows: 10, duplicateSlugs: 3 });
    const before = await look();
    const { result, seen } = await watched(host, directory, () => upgrade(releases.path('1.1.1')));
    expect(result).toMatchObject({
      exitCode: 6,
      json: { code: 'MIGRATION_FAILED', details: { outcome: 'undone', serving: '1.0.0', backup: expect.any(String) as string } },
    });
    expect(result.json['message']).toContain('meeting-2024');
    // 1.1.0's own was applied before: the old code runs on it, and the next install continues
    expect(result.json['message']).toMatch(/Applied before it, and not undone: 002_note_pinned\./);
    expect(result.json['message']).toContain('1.0.0 is serving, untouched');
    expectUntouched(seen, '1.0.0');
    expect(await look()).toEqual(before);
    const report = (result.json['details'] as { report: string }).report;
    expect(await readFile(report, 'utf8')).toContain('migrate');
    const { json } = await airdock(host, ['history', '--dir', directory]);
    expect((json['history'] as unknown[]).at(-1)).toMatchObject({ outcome: 'undone', rehearsed: false, backupState: 'unproven' });
    await expectGood();
  });

  test('1.1.2: never healthy; rolled back by itself, the gap measured', async () => {
    await installedState(host);
    const before = await look();
    const { result, seen, ended } = await watched(host, directory, () => upgrade(releases.path('1.1.2')));
    expect(result).toMatchObject({
      exitCode: 6,
      json: { code: 'HEALTH_FAILED', details: { outcome: 'rolled-back', serving: '1.0.0' } },
    });
    expectSwitch('1.1.2 rolled back', seen, { before: '1.0.0', after: '1.0.0' }, { up: result.stepStarted('up'), ended });
    const { ids, ...rest } = await look();
    expect({ ...rest, ids: { db: ids['db'], redis: ids['redis'] } }).toEqual({
      ...before,
      ids: { db: before.ids['db'], redis: before.ids['redis'] },
    });
    await expectGood();
  });

  test.each(cases([], ['without the undo']))('that judgement is no formality: %s it is red', async () => {
    await installedState(host);
    const program = await patchedAirdock('no-undo', [
      {
        file: 'src/vm/transaction/undo.ts',
        from: 'switched || quiesced ? await bringBack(site, record, plan) : await unchanged(site, record)',
        to: 'await unchanged(site, record)',
      },
    ]);
    const { result, seen, ended } = await watched(host, directory, () =>
      airdock(host, ['install', releases.path('1.1.2'), '--dir', directory, '--yes', '--no-rehearsal'], { program }),
    );
    expect(result.exitCode).toBe(6);
    expect(() =>
      expectSwitch('1.1.2 not rolled back', seen, { before: '1.0.0', after: '1.0.0' }, { up: result.stepStarted('up'), ended }),
    ).toThrow(/failed while 1.0.0 had to answer/);
  });
});

describe('of the host, found before anything is touched', () => {
  let before: Before;
  beforeAll(() => installedState(host));
  beforeEach(async () => {
    before = await look();
  });
  afterEach(async () => {
    await healthy(host, directory, '1.0.0');
    expect((await look()).rows).toBe(before.rows);
    await expectGood();
  });

  test('the database is stopped', async () => {
    await host.compose(directory, 'stop', 'db');
    const result = await upgrade(releases.path('1.1.0'));
    expect(result.exitCode).toBe(5);
    expect(JSON.stringify(result.json)).toContain('DATABASE_UNREACHABLE');
    expect(await answering(host, directory)).toBe('1.0.0');
    await host.compose(directory, 'start', 'db');
  });

  test('POSTGRES_PASSWORD in .env is not the database’s', async () => {
    await writeFile(join(directory, '.env'), before.env.replace(/^POSTGRES_PASSWORD=.*$/m, 'POSTGRES_PASSWORD=changed'));
    const result = await upgrade(releases.path('1.1.0'));
    expect(result).toMatchObject({ exitCode: 5, json: { code: 'DATABASE_AUTH' } });
    expect(await containerIds(host, directory)).toEqual(before.ids);
    expect(await answering(host, directory)).toBe('1.0.0');
    await writeFile(join(directory, '.env'), before.env);
  });

  test('an override names a service that the release dropped', async () => {
    const changes = [
      { file: 'templates/compose.yaml', from: /  worker:\n(    .*\n)+\n/, to: '' },
      { file: 'bundle.config.ts', from: `writers: ['api', 'worker']`, to: `writers: ['api']` },
      { file: 'bundle.config.ts', from: `traffic: ['web', 'worker']`, to: `traffic: ['web']` },
    ];
    const dropped = await variant('no-worker', '1.1.0', changes, { product: pad });
    const override = join(directory, 'compose.override.yaml');
    await writeFile(override, 'services: { worker: { environment: { MINE: "1" } } }\n');
    const result = await upgrade(dropped);
    expect(result.exitCode).toBe(5);
    expect(JSON.stringify(result.json)).toContain('COMPOSE_RENDER');
    expect(await containerIds(host, directory)).toEqual(before.ids);
    await rm(override);
  });

  test('too little disk for a first install: refused with the ledger, nothing left', async () => {
    const small = opt('small');
    await mkdir(small, { recursive: true });
    await execa('mount', ['-t', 'tmpfs', '-o', 'size=100m,mode=0755', 'tmpfs', small]);
    try {
      const args = ['install', releases.path('1.1.0'), '--dir', small, '--trust', releases.trust, '--yes'];
      const result = await airdock(host, [...args, '--set', 'PAD_PORT=8099']);
      expect(result).toMatchObject({ exitCode: 5, json: { code: 'DISK_FULL' } });
      expect(existsSync(join(small, '.airdock'))).toBe(false);
    } finally {
      await execa('umount', [small]);
    }
  });
});

describe('the disk fills up on the way', () => {
  test.each(cases([['the backup', 'backups', '64k']], [['the blobs of the release', 'blobs/sha256', '2m']]))(
    'in %s: undone, the old version answered every request',
    async (_what, folder, size) => {
      await installedState(host);
      const before = await look();
      const place = join(directory, '.airdock', folder);
      await mkdir(place, { recursive: true });
      await execa('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=0700`, 'tmpfs', place]);
      try {
        const { result, seen } = await watched(host, directory, () => upgrade(releases.path('1.1.0')));
        expect(result).toMatchObject({
          exitCode: 5,
          json: { code: 'DISK_FULL', details: { outcome: 'undone', serving: '1.0.0' } },
        });
        expect(result.json['message']).toContain('1.0.0 is serving, untouched');
        expectUntouched(seen, '1.0.0');
        expect(await readdir(place).then((names) => names.filter((name) => !/^[0-9a-f]{64}$/.test(name)))).toEqual([]);
      } finally {
        await execa('umount', [place]);
      }
      expect(await look()).toEqual(before);
      await expectGood();
    },
  );
});

describe('of the bundle: exit 4, and nothing of it is used', () => {
  const copy = (): string => runFolder('damaged.tar');
  let before: Before;
  beforeAll(async () => {
    await installedState(host);
    before = await look();
    await copyFile(releases.path('1.1.0'), copy());
  });
  afterEach(async () => {
    expect(await look()).toEqual(before);
    expect(await answering(host, directory)).toBe('1.0.0');
    await expectGood();
  });

  test('cut short', async () => {
    const cut = runFolder('cut.tar');
    await copyFile(releases.path('1.1.0'), cut);
    await truncate(cut, (await stat(cut)).size - 100_000);
    expect(await upgrade(cut)).toMatchObject({ exitCode: 4, json: { code: 'BUNDLE_TRUNCATED' } });
  });

  const entries = () => entriesOf(copy());
  const flip = (at: number) => flipBit(copy(), at);
  const blob = (least: number, most: number) => (name: string, size: number) =>
    name.startsWith('blobs/') && size > least && size < most;
  const kinds: [string, string, (name: string, size: number) => boolean][] = [
    ['SHA256SUMS', 'SIGNATURE_INVALID', (name) => name === 'SHA256SUMS'],
    // another signature, or no signature at all
    ['the signature', 'SIGNATURE_INVALID or SIGNATURE_MALFORMED', (name) => name === 'SHA256SUMS.sig'],
    ['bundle.json', 'BUNDLE_DIGEST_MISMATCH', (name) => name === 'bundle.json'],
    ['the guide', 'BUNDLE_DIGEST_MISMATCH', (name) => name === 'README.md'],
    ['compose.yaml', 'BUNDLE_DIGEST_MISMATCH', (name) => name === 'compose.yaml'],
    ['env.template', 'BUNDLE_DIGEST_MISMATCH', (name) => name === 'env.template'],
    ['oci-layout', 'BUNDLE_DIGEST_MISMATCH', (name) => name === 'oci-layout'],
    ['index.json', 'BUNDLE_DIGEST_MISMATCH', (name) => name === 'index.json'],
    ['manifest.json', 'BUNDLE_DIGEST_MISMATCH', (name) => name === 'manifest.json'],
    ['an image’s manifest', 'BUNDLE_DIGEST_MISMATCH', blob(0, 1000)],
    ['an image’s config', 'BUNDLE_DIGEST_MISMATCH', blob(2000, 20_000)],
  ];
  test.each(kinds)('one flipped bit in %s: %s', async (_kind, code, matches) => {
    const entry = (await entries()).find(({ name, size }) => matches(name, size));
    if (!entry) throw new Error('the bundle has no such entry');
    const at = entry.offset + Math.min(40, entry.size >> 1);
    await flip(at);
    const result = await upgrade(copy());
    await flip(at);
    expect(result.exitCode).toBe(4);
    expect(code.split(' or ')).toContain(result.json['code']);
  });

  test('one flipped bit in a header, in padding', async () => {
    const entry = (await entries()).find(({ name }) => name === 'compose.yaml');
    if (!entry) throw new Error('no compose.yaml');
    for (const [at, code] of [
      [entry.offset - 512 + 100, 'BUNDLE_HEADER'],
      [entry.offset + entry.size, 'BUNDLE_PADDING'],
    ] as const) {
      await flip(at);
      const result = await upgrade(copy());
      await flip(at);
      expect(result).toMatchObject({ exitCode: 4, json: { code } });
    }
  });

  test('one flipped bit in a layer that is new here: found while it is copied, before the engine sees it', async () => {
    const layers = (await entries()).filter(({ name }) => name.startsWith('blobs/'));
    const store = join(directory, '.airdock/blobs/sha256');
    const fresh = layers.find(({ name }) => !existsSync(join(store, name.split('/').at(-1) ?? '')) && isLayer(name));
    expect(fresh).toBeDefined();
    await flip(fresh!.offset + 30);
    const result = await upgrade(copy());
    expect(result).toMatchObject({
      exitCode: 4,
      json: { code: 'BUNDLE_DIGEST_MISMATCH', details: { outcome: 'undone', serving: '1.0.0' } },
    });
    expect(existsSync(join(store, fresh!.name.split('/').at(-1) ?? ''))).toBe(false);
  });

  let layerDigests: Set<string>;
  const isLayer = (name: string): boolean => layerDigests.has(name.split('/').at(-1) ?? '');
  beforeAll(async () => {
    const { stdout } = await execa('tar', ['-xOf', releases.path('1.1.0'), 'bundle.json']);
    const { images } = JSON.parse(stdout) as { images: { layers: { digest: string }[] }[] };
    layerDigests = new Set(images.flatMap(({ layers }) => layers.map(({ digest }) => digest.slice(7))));
  });
});
