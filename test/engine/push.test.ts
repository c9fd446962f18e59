// `airdock push` against Debian's docker-registry: what it sends, what it leaves, what a bad network and a registry that says no
// make of it.
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { packChart, stageChart } from '../../src/build/chart.ts';
import { authorizeBy } from '../../src/bundle/authorize.ts';
import { openBundle } from '../../src/bundle/reader.ts';
import type { PushDocument } from '../../src/cli/documents/push.ts';
import { push as pushBundle } from '../../src/push/push.ts';
import { parseTarget, repositoriesOf } from '../../src/push/push-target.ts';
import { digestOf } from '../../src/digest.ts';
import { RegistryWriter } from '../../src/images/registry-writer.ts';
import { httpTransport } from '../../src/images/transport.ts';
import { makeImage, temporaryFolder, testKey, writeTestBundle, type TestBundle, type TestImage } from '../helpers/bundle.ts';
import { airdock, type CliOptions } from '../helpers/cli.ts';
import { devFolder } from '../helpers/dev-folder.ts';
import { putTogether, takeApart, without } from '../helpers/forge.ts';
import { impatient } from '../helpers/fault-registry.ts';
import { startRegistry } from '../helpers/registry.ts';
import { chartFiles } from '../helpers/release-folder.ts';
import { answeringWay, cuttingWay } from '../helpers/unreliable-way.ts';

type Registry = Awaited<ReturnType<typeof startRegistry>>;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let registry: Registry;
let release: TestBundle;

const image = (reference: string, layers: readonly (string | Buffer)[]): TestImage =>
  makeImage(
    reference,
    layers.map((layer) =>
      typeof layer === 'string' ? layer : { bytes: layer, diffId: digestOf(layer), uncompressedSize: layer.length },
    ),
  );
/** Nothing that compresses, and the same in every image: what is shared is sent once. */
const large = randomBytes(24 << 20);

beforeAll(async () => {
  folder = await temporaryFolder();
  await writeFile(folder.file('release.pub'), testKey.publicPem);
  for (const [name, text] of Object.entries(chartFiles)) {
    await mkdir(dirname(folder.file(name)), { recursive: true });
    await writeFile(folder.file(name), text);
  }
  release = await bundle('shop.tar', '0.3.0');
});
afterAll(() => folder[Symbol.asyncDispose]());

async function bundle(name: string, version: string): Promise<TestBundle> {
  await using chart = await stageChart(folder.file('deploy/chart'), version, new Date(0));
  return writeTestBundle(folder.file(name), {
    version,
    images: [
      image(`ghcr.io/example/shop-api:${version}`, [large, `api ${version}`]),
      image(`ghcr.io/example/shop-web:${version}`, [large, `web ${version}`]),
      image('docker.io/library/postgres:15', ['postgres']),
    ],
    files: { [`chart/shop-${version}.tgz`]: await packChart(chart) },
  });
}

type Answer = { code: number; document: PushDocument & Record<string, unknown>; stderr: string };
async function push(file: string, to: string, flags: readonly string[] = [], options: CliOptions = {}): Promise<Answer> {
  const args = ['push', folder.file(file), '--registry', to, '--trust', folder.file('release.pub'), '--json', ...flags];
  const { code, stdout, stderr } = await airdock(args, { cwd: folder.path, env: { HOME: folder.path }, ...options });
  return { code, document: JSON.parse(stdout) as Answer['document'], stderr };
}

/** The same, without its pauses. */
async function pushBy(address: string, path: string): Promise<unknown> {
  const target = parseTarget(`${address}/${path}`);
  const opened = await openBundle(folder.file('shop.tar'), { authorize: authorizeBy({ given: [testKey.publicPem] }) });
  const transport = httpTransport({ env: {} });
  const writes = repositoriesOf(target, opened.manifest);
  const writer = new RegistryWriter({ transport, credentials: async () => undefined, retry: impatient(), writes });
  return pushBundle({ bundle: opened, target, registry: writer, chart: true }).finally(async () => {
    transport.close();
    await opened.close();
  });
}

/** What an engine or a cluster would find there, byte by byte. */
async function expectThere(address: string, pushed: PushDocument): Promise<void> {
  for (const { target, digest } of pushed.images) {
    const { stdout } = await execa('skopeo', ['inspect', '--raw', '--tls-verify=false', `docker://${target}`]);
    expect(digestOf(stdout)).toBe(digest);
    const { layers } = JSON.parse(stdout) as { layers: { digest: string }[] };
    const repository = target.slice(address.length + 1, target.lastIndexOf(':'));
    for (const layer of layers) {
      const answer = await fetch(`http://${address}/v2/${repository}/blobs/${layer.digest}`);
      expect(
        `sha256:${createHash('sha256')
          .update(Buffer.from(await answer.arrayBuffer()))
          .digest('hex')}`,
      ).toBe(layer.digest);
    }
  }
}
const uploads = (requests: readonly string[]): string[] => requests.filter((line) => /^(POST|PUT|PATCH) /.test(line));

describe('a registry as it should be', () => {
  beforeAll(async () => {
    registry = await startRegistry({ name: 'push-test' });
  });
  afterAll(() => registry?.stop());

  test('images keep their digests, a shared layer is sent once, the chart is one that helm pulls', async () => {
    const { code, document } = await push('shop.tar', `${registry.address}/shop`);
    expect(code).toBe(0);
    expect(document.images.map(({ reference, target }) => [reference, target])).toEqual([
      ['docker.io/library/postgres:15', `${registry.address}/shop/library/postgres:15`],
      ['ghcr.io/example/shop-api:0.3.0', `${registry.address}/shop/example/shop-api:0.3.0`],
      ['ghcr.io/example/shop-web:0.3.0', `${registry.address}/shop/example/shop-web:0.3.0`],
    ]);
    expect(document.images.map(({ digest }) => digest)).toEqual(release.manifest.images.map((one) => one.manifestDigest));
    expect(document.blobs).toMatchObject({ sent: 9, mounted: 1, present: 0 });
    await expectThere(registry.address, document);

    const helm = join(devFolder('helm'), '4/helm');
    const from = `oci://${registry.address}/shop/charts/shop`;
    await execa(helm, ['pull', from, '--version', '0.3.0', '--plain-http', '-d', folder.path], { env: { HOME: folder.path } });
    expect(await readFile(folder.file('shop-0.3.0.tgz'))).toEqual(release.files.get('chart/shop-0.3.0.tgz'));
  });

  test('a second push sends nothing, not even a manifest', async () => {
    const before = (await registry.requests()).length;
    const { code, document } = await push('shop.tar', `${registry.address}/shop`);
    expect([code, document.blobs]).toEqual([0, { sent: 0, sentBytes: 0, mounted: 0, present: 10 }]);
    expect(uploads((await registry.requests()).slice(before))).toEqual([]);
  });

  test('the next release: only what changed', async () => {
    await bundle('next.tar', '0.3.1');
    const { code, document } = await push('next.tar', `${registry.address}/shop`);
    expect(code).toBe(0);
    // a layer and a configuration of each of both images, and the chart's two
    expect(document.blobs).toMatchObject({ sent: 6, mounted: 0 });
    expect(document.blobs.sentBytes).toBeLessThan(10_000);
    await expectThere(registry.address, document);
  });

  test('another path of it: mounted from nowhere, for nobody says where; sent', async () => {
    const { code, document } = await push('shop.tar', `${registry.address}/other`);
    expect([code, document.blobs.sent]).toEqual([0, 9]);
  });

  test('a slim bundle: what it leaves out is there; where it is not, its name is told and nothing is sent', async () => {
    const left = `blobs/sha256/${digestOf(large).slice(7)}`;
    const entries = await takeApart(folder.file('shop.tar'));
    await writeFile(folder.file('slim.tar'), putTogether(without(entries, left)));
    expect((await push('slim.tar', `${registry.address}/shop`)).code).toBe(0);
    const before = (await registry.requests()).length;
    const { code, document } = await push('slim.tar', `${registry.address}/empty`);
    expect([code, document['code']]).toEqual([5, 'BLOB_MISSING']);
    expect(document['message']).toContain(digestOf(large));
    expect(uploads((await registry.requests()).slice(before))).toEqual([]);
  });

  test('a layer of the bundle that was changed: the registry keeps nothing of it, and the bundle is named', async () => {
    const bytes = await readFile(folder.file('shop.tar'));
    bytes[bytes.indexOf(large.subarray(0, 64)) + 1_000_000]! ^= 1;
    await writeFile(folder.file('flipped.tar'), bytes);
    const { code, document } = await push('flipped.tar', `${registry.address}/flipped`);
    expect([code, document['code']]).toEqual([4, 'BUNDLE_DIGEST_MISMATCH']);
    const blob = `http://${registry.address}/v2/flipped/example/shop-api/blobs/${digestOf(large)}`;
    expect((await fetch(blob, { method: 'HEAD' })).status).toBe(404);
    const tags = `http://${registry.address}/v2/flipped/example/shop-api/tags/list`;
    expect((await fetch(tags)).status).toBe(404);
  });

  test('a key that nobody trusts: not a byte is sent', async () => {
    // the registry writes a request down after its answer: what an earlier test asked may come late
    let before = -1;
    for (let now = 0; before !== now; await sleep(500)) [before, now] = [now, (await registry.requests()).length];
    await writeTestBundle(folder.file('unsigned.tar'), { sign: 'unsigned' });
    const { code } = await push('unsigned.tar', `${registry.address}/shop`);
    expect(code).toBe(4);
    expect((await registry.requests()).length).toBe(before);
  });

  test.each(['https://registry.internal/shop', 'shop', 'registry.internal/Shop', ''])('--registry %j is none', async (to) => {
    expect(await push('shop.tar', to)).toMatchObject({ code: 2, document: { code: 'USAGE' } });
  });
});

describe('a way that is cut', () => {
  beforeAll(async () => {
    registry = await startRegistry({ name: 'push-cut' });
  });
  afterAll(() => registry?.stop());

  test('20 times: all arrives', async () => {
    const cuts = Array.from({ length: 20 }, () => 1000 + Math.floor(Math.random() * 2_500_000));
    await using way = await cuttingWay(registry.address, cuts);
    const { code, document, stderr } = await push('shop.tar', `${way.address}/shop`);
    expect(code, `cuts after ${cuts.join(', ')}\n${stderr}`).toBe(0);
    expect(way.cuts()).toBe(20);
    await expectThere(way.address, document);
  });

  test('for good: it says so, and the next push goes on', async () => {
    await using way = await cuttingWay(
      registry.address,
      Array.from({ length: 400 }, () => 200),
    );
    await expect(pushBy(way.address, 'later')).rejects.toMatchObject({ code: 'REGISTRY_UNREACHABLE', exitCode: 3 });
    const { code, document } = await push('shop.tar', `${registry.address}/later`);
    expect(code).toBe(0);
    await expectThere(registry.address, document);
  });
});

describe('a registry that says no', () => {
  test('a token that expires in the middle is renewed', async () => {
    await using real = await disposable({ name: 'push-token' });
    const uses = new Map<string, number>();
    const asked: string[] = [];
    await using way = await answeringWay(real.address, (request, response) => {
      if (request.url?.startsWith('/token')) {
        const scopes = new URL(request.url, 'http://x').searchParams.getAll('scope');
        asked.push(...scopes);
        uses.set(`Bearer t${uses.size}`, 0);
        response.end(JSON.stringify({ token: `t${uses.size - 1}` }));
        return true;
      }
      const { authorization = '' } = request.headers;
      const used = uses.get(authorization) ?? Infinity;
      uses.set(authorization, used + 1);
      if (used < 3) return false;
      const realm = `Bearer realm="http://${request.headers.host}/token",service="s",scope="repository:x:pull"`;
      response.writeHead(401, { 'www-authenticate': realm }).end();
      return true;
    });
    const { code, document, stderr } = await push('shop.tar', `${way.address}/shop`);
    expect(code, stderr).toBe(0);
    expect(uses.size).toBeGreaterThan(8);
    expect(asked).toEqual(
      expect.arrayContaining(['repository:shop/example/shop-web:pull,push', 'repository:shop/example/shop-api:pull']),
    );
    await expectThere(real.address, { ...document, images: moved(document, way.address, real.address) });
  });

  test('429 and 503 now and then: asked again', async () => {
    await using real = await disposable({ name: 'push-busy' });
    let count = 0;
    await using way = await answeringWay(real.address, (_request, response) => {
      count += 1;
      if (count % 4 !== 0) return false;
      response.writeHead(count % 8 === 0 ? 429 : 503, { 'retry-after': '0' }).end();
      return true;
    });
    const { code, stderr } = await push('shop.tar', `${way.address}/shop`);
    expect(code, stderr).toBe(0);
    expect(way.answered()).toBeGreaterThan(5);
  });

  test('429 for an hour: it says so at once', async () => {
    await using real = await disposable({ name: 'push-hour' });
    await using way = await answeringWay(real.address, (request, response) => {
      if (request.method !== 'PUT') return false;
      response.writeHead(429, { 'retry-after': '3600' }).end();
      return true;
    });
    const { code, document } = await push('shop.tar', `${way.address}/shop`);
    expect([code, document['code']]).toEqual([3, 'REGISTRY_RATE_LIMITED']);
    expect(document['message']).toContain('3600 s');
  });

  test('read-only', async () => {
    await using real = await disposable({ name: 'push-readonly', readOnly: true });
    const { code, document } = await push('shop.tar', `${real.address}/shop`);
    expect([code, document['code']]).toEqual([3, 'REGISTRY_READ_ONLY']);
  });

  test('its disk is full: it says what the registry said, and no tag is there', async () => {
    await using real = await disposable({ name: 'push-full', room: 8 });
    await expect(pushBy(real.address, 'shop')).rejects.toMatchObject({
      code: 'REGISTRY_UNREACHABLE',
      exitCode: 3,
      message: expect.stringContaining('answered 500'),
      hint: expect.stringContaining('whether its disk is full'),
    });
    expect((await fetch(`http://${real.address}/v2/shop/example/shop-api/tags/list`)).status).toBe(404);
  });

  test('nobody is there', async () => {
    const { code, document } = await push('shop.tar', '127.0.0.1:1/shop');
    expect([code, document['code']]).toEqual([3, 'REGISTRY_UNREACHABLE']);
  });
});

async function disposable(options: Parameters<typeof startRegistry>[0]): Promise<Registry & AsyncDisposable> {
  const started = await startRegistry(options);
  return { ...started, [Symbol.asyncDispose]: () => started.stop() };
}

function moved({ images }: PushDocument, from: string, to: string): PushDocument['images'] {
  return images.map((one) => ({ ...one, target: one.target.replace(from, to) }));
}
