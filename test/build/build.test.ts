import { readdir, readFile, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { build, type BuildHost, type BuildOptions } from '../../src/build/build.ts';
import { openBundle } from '../../src/bundle/reader.ts';
import { authorizeBy } from '../../src/bundle/authorize.ts';
import { digestOf } from '../../src/digest.ts';
import type { ProgressEvent } from '../../src/events.ts';
import { Registry } from '../../src/images/registry.ts';
import { httpTransport } from '../../src/images/transport.ts';
import { makeImage, temporaryFolder, testKey, type TestImage } from '../helpers/bundle.ts';
import { FaultRegistry, impatient } from '../helpers/fault-registry.ts';
import { chartConfig, chartFiles, configText, composeText, writeRelease } from '../helpers/release-folder.ts';

type Folder = Awaited<ReturnType<typeof temporaryFolder>>;

let registry: FaultRegistry;
let folder: Folder;
const images = new Map<string, TestImage>(
  ['acme/api:0.3.0', 'acme/web:0.3.0', 'library/postgres:15', 'minio/minio:1', 'acme/exporter:2', 'acme/exporter:3'].map(
    (name) => [name, makeImage(name, ['base', name])],
  ),
);

beforeEach(async () => {
  registry = await FaultRegistry.start();
  folder = await temporaryFolder();
  for (const [name, image] of images) registry.add(image, name.split(':')[0] ?? '', name.split(':')[1] ?? '');
});
afterEach(async () => {
  await registry[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

const rendered = `kind: Deployment
metadata: { name: api }
spec: { template: { spec: { containers: [{ image: "ghcr.io/acme/api:0.3.0" }, { image: "quay.io/acme/exporter:EXPORTER" }] } } }
`;

async function run(changes: Partial<BuildOptions> = {}, hostChanges: Partial<BuildHost> = {}) {
  const events: ProgressEvent[] = [];
  const options: BuildOptions = {
    config: folder.file('bundle.config.ts'),
    version: '0.3.0',
    platform: 'linux/amd64',
    output: folder.path,
    source: 'registry',
    updateLock: false,
    cacheDirectory: folder.file('cache'),
    created: new Date(1_700_000_000_000),
    builder: 'airdock test',
    installers: undefined,
    sign: testKey.sign,
    ...changes,
  };
  const host: BuildHost = {
    registry: new Registry({
      transport: httpTransport({ env: {} }),
      credentials: async () => undefined,
      retry: impatient(),
      mirrors: new Map(['ghcr.io', 'docker.io', 'quay.io'].map((name) => [name, registry.url])),
    }),
    engine: async () => {
      throw new Error('there is no engine');
    },
    helm: {
      version: async () => 'v4',
      template: async (_, __, { values = [] } = {}) => rendered.replace('EXPORTER', /external/.test(values[0] ?? '') ? '3' : '2'),
    },
    revision: async () => 'abc',
    listener: (event) => void events.push(event),
    now: () => 0,
    ...hostChanges,
  };
  return { ...(await build(options, host)), events };
}

async function left(): Promise<string[]> {
  return (await readdir(folder.path)).filter((name) => /bundle\.tar|partial|lock/.test(name));
}

const file = 'shop-0.3.0-linux-amd64.bundle.tar';

test('a release from a registry: signed, complete, read back; the lock file written', async () => {
  await writeRelease(folder.path);
  const { path, manifest, lock, blobs } = await run();
  expect(path).toBe(folder.file(file));
  const opened = await openBundle(path, { authorize: authorizeBy({ keys: [testKey.publicPem] }) });
  await opened.close();
  expect(opened.manifest).toEqual(manifest);
  expect(manifest.images.map(({ reference, usedBy }) => [reference, usedBy])).toEqual([
    ['docker.io/library/postgres:15', ['compose db']],
    ['docker.io/minio/minio:1', ['compose storage']],
    ['ghcr.io/acme/api:0.3.0', ['compose api worker']],
    ['ghcr.io/acme/web:0.3.0', ['compose web']],
  ]);
  expect(manifest.images[2]?.manifestDigest).toBe(images.get('acme/api:0.3.0')?.record.manifestDigest);
  expect(manifest.migrations.map(({ version }) => version)).toEqual(['0.2.0', '0.3.0']);
  expect(manifest).toMatchObject({
    revision: 'abc',
    created: '2023-11-14T22:13:20Z',
    requires: { disk: 2 ** 30 },
    health: [{ json: { version: '0.3.0' } }],
  });
  expect({ lock, blobs }).toMatchObject({ lock: { unchanged: 0, added: 4 }, blobs: { blobs: 5, fromCache: 0 } });
  expect(JSON.parse(await readFile(folder.file('airdock.lock.json'), 'utf8'))).toMatchObject({
    images: { 'ghcr.io/acme/api:0.3.0': images.get('acme/api:0.3.0')?.record.manifestDigest },
  });
});

test('built twice, once without a cache: the same bytes but for the signature; a finished blob is not fetched again', async () => {
  await writeRelease(folder.path);
  const first = await run({ sign: () => Buffer.from('one') });
  const bytes = await readFile(first.path);
  const requests = registry.seen.length;
  const second = await run({ sign: () => Buffer.from('two') });
  expect(
    registry
      .paths()
      .slice(requests)
      .filter((path) => path.includes('/blobs/')),
  ).toHaveLength(4); // the configurations
  expect(second).toMatchObject({ lock: { unchanged: 4, added: 0 }, blobs: { blobs: 5, fromCache: 5, fetchedBytes: 0 } });
  const again = await readFile(second.path);
  const differing = [...bytes.keys()].filter((at) => bytes[at] !== again[at]);
  const slot = bytes.indexOf(Buffer.from('one').toString('base64'));
  expect(differing.every((at) => at >= slot && at < slot + 512)).toBe(true);
  expect(differing.length).toBeGreaterThan(0);
  const third = await run({ sign: () => Buffer.from('one'), cacheDirectory: folder.file('other') });
  expect(digestOf(await readFile(third.path))).toBe(digestOf(bytes));
});

test('compose and chart together: both values files, the packed chart inside', async () => {
  await writeRelease(folder.path, { ...chartFiles, 'bundle.config.ts': chartConfig });
  const { manifest, events } = await run();
  expect(manifest.images.map(({ reference, usedBy }) => `${reference} ${usedBy.join(', ')}`)).toEqual([
    'docker.io/library/postgres:15 compose db',
    'docker.io/minio/minio:1 compose storage',
    'ghcr.io/acme/api:0.3.0 compose api worker, chart image',
    'ghcr.io/acme/web:0.3.0 compose web',
    'quay.io/acme/exporter:2 chart exporter.image',
    'quay.io/acme/exporter:3 chart exporter.image',
  ]);
  expect(manifest.files.map(({ path }) => path)).toEqual([
    'README.md',
    'compose.yaml',
    'env.template',
    'values-template.yaml',
    'chart/shop-0.3.0.tgz',
  ]);
  expect(events).toContainEqual(
    expect.objectContaining({
      step: 'complete',
      summary: 'every image of the compose file (1 profile) and of the chart (2 values files) is in the bundle',
    }),
  );
});

test('without helm the chart is packed, and a warning says what was not looked at', async () => {
  await writeRelease(folder.path, { ...chartFiles, 'bundle.config.ts': chartConfig });
  const { events } = await run({}, { helm: { version: async () => undefined, template: async () => '' } });
  expect(events).toContainEqual({ type: 'warning', text: expect.stringContaining('helm is not in PATH') });
});

test('a tag that moved: LOCK_MISMATCH, nothing written, nothing of the lock changed; --update-lock accepts it', async () => {
  await writeRelease(folder.path);
  const { path } = await run();
  const before = [await readFile(path), await readFile(folder.file('airdock.lock.json'))];
  const moved = makeImage('x', ['other']);
  registry.add(moved, 'library/postgres', '15');
  await expect(run()).rejects.toMatchObject({
    code: 'LOCK_MISMATCH',
    exitCode: 3,
    message: expect.stringContaining('docker.io/library/postgres:15'),
  });
  expect([await readFile(path), await readFile(folder.file('airdock.lock.json'))]).toEqual(before);
  await run({ updateLock: true });
  expect(await readFile(folder.file('airdock.lock.json'), 'utf8')).toContain(moved.record.manifestDigest);
});

test('a damaged cache: found before anything is signed, cleaned, and the next build is fine', async () => {
  await writeRelease(folder.path);
  await run({ output: folder.file('first.tar') });
  const blob = images.get('acme/api:0.3.0')?.record.layers[1];
  if (!blob) throw new Error('no layer');
  await writeFile(
    folder.file(`cache/blobs/${blob.digest.slice(7)}`),
    Buffer.concat([Buffer.from([0x1f, 0x8b]), Buffer.alloc(blob.size - 2)]),
  );
  await expect(run({ output: folder.file('second.tar') })).rejects.toMatchObject({ code: 'SOURCE_CORRUPT' });
  expect(await readdir(folder.path)).not.toContain('second.tar');
  await run({ output: folder.file('second.tar') });
});

describe('a failure leaves no bundle and no lock file', () => {
  test.each<[string, Record<string, string>, Partial<BuildOptions>, string, RegExp]>([
    [
      'an unknown key',
      { 'bundle.config.ts': configText().replace('writers:', 'writer: [],\n  writers:') },
      {},
      'CONFIG_INVALID',
      /bundle\.config\.ts:\d+ writer: unknown key/,
    ],
    [
      'a config that does not compile',
      { 'bundle.config.ts': configText().replace('{', '') },
      {},
      'CONFIG_NOT_LOADABLE',
      /bundle\.config\.ts/,
    ],
    [
      'an image that does not exist',
      { 'deploy/compose.yaml': composeText.replace('minio/minio:1', 'minio/minio:2') },
      {},
      'REGISTRY_NOT_FOUND',
      /404.*minio\/minio:2.*deploy\/compose\.yaml:14/,
    ],
    [
      'an unpinned image',
      { 'deploy/compose.yaml': composeText.replace('minio/minio:1', 'minio/minio') },
      {},
      'IMAGE_UNPINNED',
      /deploy\/compose\.yaml:14/,
    ],
    [
      'a service that compose does not have',
      { 'bundle.config.ts': configText().replace("writers: ['api']", "writers: ['app']") },
      {},
      'CONFIG_INVALID',
      /writers\[0\].*no service app/,
    ],
    [
      'a rehearsal beside a service that compose does not have',
      { 'bundle.config.ts': configText().replace('writers:', "rehearsal: { env: {}, dependencies: ['queue'] },\n  writers:") },
      {},
      'CONFIG_INVALID',
      /rehearsal\.dependencies\[0\].*no service queue/,
    ],
    [
      'a rehearsal beside the service that it is of',
      { 'bundle.config.ts': configText().replace('writers:', "rehearsal: { env: {}, dependencies: ['api'] },\n  writers:") },
      {},
      'CONFIG_INVALID',
      /rehearsal\.dependencies\[0\].*api is part of every rehearsal/,
    ],
    [
      'a volume that compose does not have',
      { 'bundle.config.ts': configText().replace('writers:', "volumes: ['uploads'],\n  writers:") },
      {},
      'CONFIG_INVALID',
      /volumes\[0\].*no named volume uploads/,
    ],
    [
      'state of Redis without the backup of a database that could take it along',
      {
        'bundle.config.ts': configText()
          .replace(/database: .*\n/, "database: 'none',\n")
          .replace('writers:', "redis: { service: 'worker', kind: 'state' },\n  writers:"),
      },
      {},
      'CONFIG_INVALID',
      /saved with the backup of the database, and this release has no database/,
    ],
    [
      'a range that is none',
      { 'bundle.config.ts': configText().replace('>=0.2.0', 'newer') },
      {},
      'CONFIG_INVALID',
      /upgrade\.from/,
    ],
    ['a platform that is not there', {}, { platform: 'linux/arm64' }, 'PLATFORM_MISSING', /linux\/arm64/],
    ['no directory for the bundle', {}, { output: '/nonexistent/x.tar' }, 'FILE_NOT_FOUND', /\/nonexistent/],
    ['a registry that knows nothing', {}, { source: { ociLayout: 'nowhere' } }, 'IMAGE_NOT_FOUND', /nowhere/],
  ])('%s', async (_, changes, options, code, message) => {
    await writeRelease(folder.path, changes);
    await expect(run(options)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    expect(await left()).toEqual([]);
  });

  test.each([['deploy/README.md'], ['deploy/env.template'], ['deploy/compose.yaml']])(
    '%s is missing: CONFIG_INVALID names it',
    async (name) => {
      await writeRelease(folder.path);
      const { rm } = await import('node:fs/promises');
      await rm(folder.file(name));
      await expect(run()).rejects.toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringContaining(folder.file(name)) });
      expect(await left()).toEqual([]);
    },
  );

  test('a blob with other bytes', async () => {
    await writeRelease(folder.path);
    const layer = images.get('acme/web:0.3.0')?.record.layers[1];
    if (!layer) throw new Error('no layer');
    registry.blobs.set(layer.digest, Buffer.alloc(layer.size, 3));
    await expect(run()).rejects.toMatchObject({ code: 'SOURCE_CORRUPT' });
    expect(await left()).toEqual([]);
  });

  test('interrupted while layers come: exit code 130, the next run is fine', async () => {
    await writeRelease(folder.path);
    const stop = new AbortController();
    registry.fault = (request, response) => {
      if (!request.url?.includes('/blobs/') || stop.signal.aborted) return false;
      response.writeHead(200, { 'content-length': 100_000 });
      response.write('x', () => stop.abort());
      return true;
    };
    await expect(run({}, { signal: stop.signal })).rejects.toMatchObject({ code: 'INTERRUPTED', exitCode: 130 });
    expect(await left()).toEqual([]);
    await run();
  });
});
