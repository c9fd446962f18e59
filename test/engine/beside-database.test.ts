// What a backup takes along besides the database: the state of a real Redis, volumes (docs/adr/0011).
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { BackupWriter } from '../../src/data/postgres/backup/backup-writer.ts';
import { backupKeys, noKeys } from '../../src/data/postgres/backup/sealed.ts';
import { besideDatabase } from '../../src/vm/backups/volumes-and-redis.ts';
import { parseEnvFile } from '../../src/vm/env/file.ts';
import { emptyCache } from '../../src/vm/backups/redis.ts';
import type { Site } from '../../src/vm/site/site.ts';
import { type Compose, openCompose } from '../../src/io/compose.ts';
import { openDocker } from '../../src/io/docker.ts';
import { type Run, run } from '../../src/io/process.ts';
import { type Host, startHost } from '../helpers/host.ts';
import { runName } from '../helpers/run-folder.ts';

const fixtures = join(import.meta.dirname, '../fixtures/nodepad');
const composeFile = `
services:
  queue: { image: 'redis:7', command: redis-server --appendonly yes, volumes: ['queue:/data', 'uploads:/uploads'] }
  cache: { image: 'redis:7', command: redis-server --requirepass sesam }
volumes: { queue: {}, uploads: {} }
`;
const env = parseEnvFile('CACHE_PASSWORD=sesam\nWRONG=no\n');
const manifest = { database: 'none' as const, volumes: ['uploads', 'of a profile that is off'] };
const queue = { service: 'queue', kind: 'state' as const };

let host: Host;
let directory: string;
let compose: Compose;
let site: Site;
let folder: string;
const redis = async (service: string, ...args: string[]) =>
  (
    await compose.exec(service, ['redis-cli', ...args], { env: { REDISCLI_AUTH: service === 'cache' ? 'sesam' : '' } })
  ).stdout.trim();
const inside = async (script: string, input = '') => {
  const result = await compose.exec('queue', ['sh', '-ec', script], { input: Buffer.from(input) });
  expect(result, result.stderr).toMatchObject({ exitCode: 0 });
  return result.stdout;
};

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'airdock-beside-'));
  host = await startHost({ name: runName('beside'), engine: '20.10' });
  await execa(join(fixtures, 'load-images'), ['0.2.4'], { env: host.env });
  await writeFile(join(directory, 'compose.yaml'), composeFile);
  await writeFile(join(directory, '.env'), '');
  const bound: Run = (command, args, options) => run(command, args, { ...options, env: { ...host.env, ...options?.env } });
  const endpoint = host.env['DOCKER_HOST'] ?? '';
  const files = [join(directory, 'compose.yaml')];
  compose = openCompose({ run: bound, endpoint, project: 'beside', directory, files, envFile: join(directory, '.env') });
  site = { docker: openDocker(endpoint), project: 'beside', compose: () => Promise.resolve(compose) } as unknown as Site;
  await compose.up();
  await vi.waitFor(async () => expect(await redis('cache', 'PING')).toBe('PONG'), { timeout: 300_000, interval: 200 });
  await vi.waitFor(async () => expect(await redis('queue', 'PING')).toBe('PONG'), { timeout: 300_000, interval: 200 });
  await redis('queue', 'RPUSH', 'celery', 'erster', 'zweiter');
  await inside(
    `mkdir -p /uploads/a; printf 'größe' > '/uploads/a/ä b'; ln -s ../x /uploads/a/link; chown -R 1234:99 /uploads/a; chmod 640 /uploads/a/*b`,
  );
});
afterAll(async () => {
  await host?.stop();
  await rm(directory, { recursive: true });
});
let containers: string;
beforeEach(async () => {
  folder = await mkdtemp(join(directory, 'b-'));
  containers = await host.docker('ps', '-aq');
});
afterEach(async () => expect(await host.docker('ps', '-aq')).toBe(containers));

describe('a backup takes along', () => {
  const expectWhole = async (read: (file: string) => Promise<Buffer>, suffix: string): Promise<void> => {
    const saved = await besideDatabase(
      site,
      { ...manifest, redis: queue },
      env,
    )(new BackupWriter(folder, suffix === '' ? noKeys : keys));
    expect(saved).toMatchObject({
      redis: { file: `redis.rdb${suffix}` },
      volumes: [{ name: 'uploads', file: `volume-uploads.tar${suffix}` }],
    });
    const rdb = await read(`redis.rdb${suffix}`);
    const checked = await compose.exec('queue', ['sh', '-ec', 'cat > /tmp/x && redis-check-rdb /tmp/x'], { input: rdb });
    expect(checked.stdout, checked.stderr).toContain('RDB looks OK');
    const tar = await execa('tar', ['tvf', '-', '--numeric-owner', '--quoting-style=literal'], {
      input: await read(`volume-uploads.tar${suffix}`),
    });
    expect(
      tar.stdout
        .split('\n')
        .map((line) => line.replace(/ +\d+ \d{4}-\S+ \S+/, ''))
        .toSorted(),
    ).toEqual([
      '-rw-r----- 1234/99 ./a/ä b',
      'drwxr-xr-x 0/0 ./',
      'drwxr-xr-x 1234/99 ./a/',
      'lrwxrwxrwx 1234/99 ./a/link -> ../x',
    ]);
  };
  let keys = noKeys;

  test('the state of Redis and a volume, owners and links included; a volume that is not there is left out', () =>
    expectWhole(async (file) => Buffer.from((await execa('cat', [join(folder, file)], { encoding: 'buffer' })).stdout), ''));

  test('encrypted', async () => {
    const identity = await generateX25519Identity();
    keys = await backupKeys([await identityToRecipient(identity)], []);
    const key = join(directory, 'identity');
    await writeFile(key, identity);
    await expectWhole(
      async (file) => Buffer.from((await execa('age', ['-d', '-i', key, join(folder, file)], { encoding: 'buffer' })).stdout),
      '.age',
    );
  });

  test('nothing of a cache, and of a service that does not run', async () => {
    const save = (redisOf: Parameters<typeof besideDatabase>[1]['redis']) =>
      besideDatabase(
        site,
        { ...manifest, volumes: [], ...(redisOf ? { redis: redisOf } : {}) },
        env,
      )(new BackupWriter(folder, noKeys));
    expect(await save({ service: 'cache', kind: 'cache' })).toEqual({});
    expect(await save({ service: 'elsewhere', kind: 'state' })).toEqual({});
    expect(await save(undefined)).toEqual({});
    expect(await readdir(folder)).toEqual([]);
  });
});

test('a Redis that does not let us in is no backup', async () => {
  const save = besideDatabase(
    site,
    { ...manifest, volumes: [], redis: { service: 'cache', kind: 'state', passwordKey: 'WRONG' } },
    env,
  );
  await expect(save(new BackupWriter(folder, noKeys))).rejects.toMatchObject({
    code: 'BACKUP_FAILED',
    message: expect.stringContaining('cache') as string,
  });
});

test('a disk that fills up while a volume is read', async () => {
  const disk = join(directory, 'disk');
  await mkdir(disk);
  await execa`mount -t tmpfs -o size=64k none ${disk}`;
  await inside('head -c 300000 /dev/urandom > /uploads/large');
  try {
    const save = besideDatabase(site, manifest, env);
    await expect(save(new BackupWriter(disk, noKeys))).rejects.toMatchObject({ code: 'ENOSPC' });
  } finally {
    await inside('rm /uploads/large');
    await execa`umount ${disk}`;
  }
});

test('a cache is emptied, state is not', async () => {
  await redis('cache', 'SET', 'row 7', 'of another database');
  const cache = { service: 'cache', kind: 'cache' as const };
  await expect(emptyCache(site, { ...manifest, redis: { ...cache, passwordKey: 'WRONG' } }, env)).rejects.toMatchObject({
    code: 'STEP_FAILED',
  });
  expect(await redis('cache', 'DBSIZE')).toBe('1');
  expect(await emptyCache(site, { ...manifest, redis: { ...cache, passwordKey: 'CACHE_PASSWORD' } }, env)).toContain(
    'cache is empty',
  );
  expect(await redis('cache', 'DBSIZE')).toBe('0');
  expect(await emptyCache(site, { ...manifest, redis: queue }, env)).toBe('');
  expect(await redis('queue', 'LLEN', 'celery')).toBe('2');
});
