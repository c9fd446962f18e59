import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BuildDocument } from '../../src/cli/documents/build.ts';
import { openDocker } from '../../src/io/docker.ts';
import { connect } from '../../src/io/postgres.ts';
import { openCompose } from '../../src/io/compose.ts';
import { openToolbox } from '../../src/io/toolbox.ts';
import { openSystemd } from '../../src/io/systemd.ts';
import { openHelm } from '../../src/io/helm.ts';
import { openHelmReleases } from '../../src/io/helm-releases.ts';
import { openKubectl } from '../../src/io/kubectl.ts';
import { run } from '../../src/io/process.ts';
import { makeImage, passphrase, temporaryFolder, testKey } from '../helpers/bundle.ts';
import { airdock, type CliOptions, type CliResult } from '../helpers/cli.ts';
import { devFolder } from '../helpers/dev-folder.ts';
import { dockerSaved, writeTar } from '../helpers/docker-save.ts';
import { startHost, type Host } from '../helpers/host.ts';
import { startRegistry } from '../helpers/registry.ts';
import { chartConfig, chartFiles, composeText, writeRelease } from '../helpers/release-folder.ts';

/** `airdock build` against a real registry with authentication, real helm and real engines. */

const names = [
  'ghcr.io/acme/api:0.3.0',
  'ghcr.io/acme/web:0.3.0',
  'docker.io/library/postgres:15',
  'docker.io/minio/minio:1',
  'quay.io/acme/exporter:2',
  'quay.io/acme/exporter:3',
];
const images = names.map((name) => makeImage(name, ['base', name]));
const login = { user: 'ci', password: 'pa:ss' };
const credentials = `${login.user}:${login.password}`;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let registry: Awaited<ReturnType<typeof startRegistry>>;
let helm: string;

beforeAll(async () => {
  folder = await temporaryFolder();
  registry = await startRegistry({ name: 'build-test', auth: login });
  await writeTar(folder.file('images.tar'), dockerSaved(images));
  // some docker v2, some OCI
  for (const [index, name] of names.entries()) {
    const to = `docker://${registry.address}/${name.slice(name.indexOf('/') + 1)}`;
    await skopeo(
      'copy',
      '--dest-creds',
      credentials,
      '--dest-tls-verify=false',
      '--format',
      index % 2 === 0 ? 'v2s2' : 'oci',
      `docker-archive:${folder.file('images.tar')}:${name}`,
      to,
    );
  }
  await writeRelease(folder.path, { ...chartFiles, 'bundle.config.ts': chartConfig });
  await writeFile(folder.file('release.key'), testKey.privatePem);
  await writeFile(folder.file('release.pub'), testKey.publicPem);
  await mkdir(folder.file('docker'));
  await writeFile(
    folder.file('docker/config.json'),
    JSON.stringify({ auths: { [registry.address]: { auth: Buffer.from(credentials).toString('base64') } } }),
  );
  helm = devFolder('helm');
});
afterAll(async () => {
  await registry.stop();
  await folder[Symbol.asyncDispose]();
});

async function skopeo(...args: string[]): Promise<string> {
  return (await execa('skopeo', ['--insecure-policy', ...args], { stdin: 'ignore' })).stdout;
}

function build(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const mirrors = ['ghcr.io', 'docker.io', 'quay.io'].flatMap((host) => ['--mirror', `${host}=${registry.url}`]);
  const env = {
    AIRDOCK_KEY_PASSWORD: passphrase,
    DOCKER_CONFIG: folder.file('docker'),
    XDG_CACHE_HOME: folder.file('cache'),
    SOURCE_DATE_EPOCH: '1700000000',
  };
  return airdock(['build', '--no-installer', '--version', '0.3.0', '--key', 'release.key', ...mirrors, ...args], {
    cwd: folder.path,
    ...options,
    env: { ...env, ...options.env },
  });
}

async function withHelm<T>(major: string, work: () => Promise<T>): Promise<T> {
  const before = process.env['PATH'];
  process.env['PATH'] = `${join(helm, major)}:${before}`;
  try {
    return await work();
  } finally {
    process.env['PATH'] = before;
  }
}

test.each(['3', '4'])(
  'registry with a login, helm %s: digests are the registry’s, other tools read the bundle',
  async (major) => {
    const { code, stdout, stderr } = await withHelm(major, () => build(['--json', '--output', `h${major}.tar`]));
    expect({ code, stderr }).toMatchObject({ code: 0 });
    const document = JSON.parse(stdout) as BuildDocument;
    expect(document.images.map(({ reference }) => reference)).toEqual(names.toSorted());
    for (const { reference, manifestDigest } of document.images) {
      const of = `${registry.address}/${reference.slice(reference.indexOf('/') + 1)}`;
      const raw = await skopeo(
        'inspect',
        '--creds',
        credentials,
        '--tls-verify=false',
        '--format',
        '{{.Digest}}',
        `docker://${of}`,
      );
      expect(manifestDigest).toBe(raw.trim());
      await skopeo('inspect', `docker-archive:${folder.file(`h${major}.tar`)}:${reference}`);
    }
    const verified = await airdock(['verify', '--trust', 'release.pub', `h${major}.tar`], { cwd: folder.path });
    expect(verified.code).toBe(0);
  },
);

test('the output for people', async () => {
  const { code, stdout, stderr } = await withHelm('4', () => build(['--output', 'text.tar']));
  expect(code).toBe(0);
  expect(stdout).toMatch(/^text\.tar {2}[\d.]+ kB {2}sha256 [0-9a-f]{64}\nsigned by SHA256:/);
  expect(stderr).toMatch(/^shop 0\.3\.0 for linux\/amd64\n/);
  expect(stderr).toContain('ghcr.io/acme/api:0.3.0');
  expect(stderr).toMatch(/compose api worker, chart image/);
  expect(stderr).toContain('every image of the compose file (1 profile) and of the chart (2 values files) is in the bundle');
});

describe('no bundle after a failure', () => {
  test.each<[string, string[], Record<string, string>, RegExp]>([
    ['no credentials', [], { DOCKER_CONFIG: '/nonexistent' }, /answered 401[^]*docker login/],
    [
      'a platform that is not there',
      ['--platform', 'linux/arm64'],
      {},
      /does not exist for linux\/arm64; available: linux\/amd64/,
    ],
    ['a file as source that is not there', ['--source', 'archive:none.tar'], {}, /there is no archive/],
  ])('%s', async (_, args, env, message) => {
    const { code, stdout, stderr } = await build([...args, '--output', 'failed.tar'], { env });
    expect(stderr).toMatch(message);
    expect([2, 3]).toContain(code);
    expect(stdout).toBe('');
    expect((await readdir(folder.path)).filter((name) => name.startsWith('failed'))).toEqual([]);
  });

  test('an image that was never pushed: the line that asks, exit code 3', async () => {
    await writeFile(folder.file('deploy/compose.yaml'), composeText.replace('minio:1', 'minio:2'));
    const { code, stderr } = await build(['--output', 'failed.tar']);
    await writeFile(folder.file('deploy/compose.yaml'), composeText);
    expect(code).toBe(3);
    expect(stderr).toMatch(/404[^]*minio\/minio:2[^]*deploy\/compose\.yaml:14/);
  });

  test('values that the chart cannot render: helm’s own words', async () => {
    await writeFile(folder.file('deploy/chart/templates/bad.yaml'), '{{ required "set the flag" .Values.flag }}');
    const { code, stderr } = await withHelm('4', () => build(['--output', 'failed.tar']));
    await writeFile(folder.file('deploy/chart/templates/bad.yaml'), '');
    expect(code).toBe(3);
    expect(stderr).toContain('set the flag');
  });

  test('usage', async () => {
    const noVersion = await airdock(['build'], { cwd: folder.path });
    expect(noVersion.code).toBe(2);
    expect(noVersion.stderr).toContain('--version');
    for (const args of [
      ['--version', 'v1'],
      ['--version', '1.0.0', '--source', 'nowhere'],
      ['--version', '1.0.0', '--mirror', 'x'],
    ]) {
      expect((await airdock(['build', ...args], { cwd: folder.path })).code).toBe(2);
    }
  });
});

test('from an archive: the manifests are made, the same bytes without a cache', async () => {
  const digest = async (cache: string): Promise<string> => {
    const { code, stdout, stderr } = await build([
      '--json',
      '--source',
      'archive:images.tar',
      '--output',
      'a.tar',
      '--cache-dir',
      cache,
    ]);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    const document = JSON.parse(stdout) as BuildDocument;
    expect(new Set(document.images.map(({ origin }) => origin))).toEqual(new Set(['archive']));
    expect((await airdock(['verify', '--trust', 'release.pub', 'a.tar'], { cwd: folder.path })).code).toBe(0);
    return (await readFile(folder.file('a.tar'))).subarray(0, 512).toString('hex') + JSON.stringify(document.images);
  };
  expect(await digest('one')).toBe(await digest('two'));
});

describe.each([
  ['20.10', 'classic'],
  ['28.5', 'containerd'],
] as const)('from a local engine %s, %s store', (engine, store) => {
  let host: Host;
  beforeAll(async () => {
    host = await startHost({ name: `build-${engine.replace('.', '')}`, engine, store });
  });
  afterAll(() => host.stop());
  const io = async () => ({
    run,
    openHelm,
    openHelmReleases,
    openKubectl,
    openDocker,
    openCompose,
    openToolbox,
    openSystemd,
    connect,
    resolveEndpoint: async () => `unix://${host.socketPath}`,
  });

  test('the images of its store', async () => {
    // gzip layers and manifests, as a pull would give them
    const { code: made } = await build(['--source', 'archive:images.tar', '--output', 'load.tar', '--cache-dir', 'one']);
    expect(made).toBe(0);
    await host.docker('load', '-i', folder.file('load.tar'));
    const { code, stdout, stderr } = await build(
      ['--json', '--source', 'engine', '--output', `e-${engine}.tar`, '--update-lock'],
      { io },
    );
    expect({ code, stderr }).toMatchObject({ code: 0 });
    const document = JSON.parse(stdout) as BuildDocument;
    expect(new Set(document.images.map(({ origin }) => origin))).toEqual(new Set(['engine']));
    expect(document.images.map(({ configDigest }) => configDigest)).toEqual(
      document.images.map(({ reference }) => images[names.indexOf(reference)]?.record.configDigest),
    );
    if (store === 'containerd') {
      const ids = await host.docker(
        'image',
        'inspect',
        '--format',
        '{{.Id}}',
        ...document.images.map(({ reference }) => reference),
      );
      // The store's own manifest, byte for byte: its digest is the image's id.
      // oxlint-disable-next-line vitest/no-conditional-expect
      expect(document.images.map(({ manifestDigest }) => manifestDigest)).toEqual(ids.trim().split('\n'));
    }
    expect((await airdock(['verify', '--trust', 'release.pub', `e-${engine}.tar`], { cwd: folder.path })).code).toBe(0);
  });

  test('an image that it does not have', async () => {
    await host.docker('image', 'rm', 'minio/minio:1');
    const { code, stderr } = await build(['--source', 'engine', '--output', 'failed.tar'], { io });
    expect(code).toBe(3);
    expect(stderr).toContain('the local engine has no image docker.io/minio/minio:1');
  });
});
