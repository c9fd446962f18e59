// `airdock push` as a company's network has it: a registry behind a CA of the house, behind a proxy, behind a login.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makePrivateCa } from '../helpers/private-ca.ts';
import { startProxy } from '../helpers/proxy.ts';
import { pushSite, type PushSite } from '../helpers/push.ts';
import { startRegistry } from '../helpers/registry.ts';
import { runName } from '../helpers/run-folder.ts';
import { cuttingWay } from '../helpers/unreliable-way.ts';

type Registry = Awaited<ReturnType<typeof startRegistry>>;
let site: PushSite;
let ca: string;
let tls: { certificate: string; key: string };

beforeAll(async () => {
  site = await pushSite();
  ({ ca, ...tls } = await makePrivateCa(site.path, ['DNS:registry.test', 'IP:127.0.0.1', 'IP:0.0.0.0']));
});
afterAll(() => site[Symbol.asyncDispose]());

const push: PushSite['push'] = (...given) => site.push(...given);
/** A name of the registry that is no loopback address: those never go by a proxy, and need no TLS. */
const elsewhere = ({ address }: Registry): string => address.replace('127.0.0.1', '0.0.0.0');
const portOf = ({ address }: Registry): string => address.split(':')[1]!;

const expectThere = (registry: Registry, path: string): Promise<void> =>
  site.expectThere(registry, path, registry.url.startsWith('https') ? ['--cert-dir', dirname(ca)] : undefined);
/** Whatever way it came. */
async function expectNothingCame(registry: Registry, work: () => Promise<void>): Promise<void> {
  const before = (await registry.requests()).length;
  await work();
  expect((await registry.requests()).slice(before)).toEqual([]);
}

describe('a registry with a certificate of a private CA', () => {
  let registry: Registry;
  beforeAll(async () => {
    registry = await startRegistry({ name: runName('push-tls'), tls });
  });
  afterAll(() => registry?.stop());

  test('without that CA: refused, the flag is named, and the registry got nothing', async () => {
    await expectNothingCame(registry, async () => {
      const { code, document } = await push(`${elsewhere(registry)}/refused`, []);
      expect([code, document['code']]).toEqual([3, 'REGISTRY_UNREACHABLE']);
      expect(document['message']).toContain('certificate');
      expect(document['hint']).toContain('--ca-file FILE');
    });
  });

  test('with the CA of another house: the same', async () => {
    await mkdir(site.file('other'));
    const other = await makePrivateCa(site.file('other'), ['IP:0.0.0.0']);
    await expectNothingCame(registry, async () => {
      const { code, document } = await push(`${elsewhere(registry)}/refused`, ['--ca-file', other.ca]);
      expect([code, document['code']]).toEqual([3, 'REGISTRY_UNREACHABLE']);
    });
  });

  test('with --ca-file: all arrives', async () => {
    const { code, stderr } = await push(`${elsewhere(registry)}/shop`, ['--ca-file', ca]);
    expect(code, stderr).toBe(0);
    await expectThere(registry, 'shop');
  });

  test('on a loopback address, as a tunnel makes it: --ca-file asks for TLS there, too', async () => {
    const { code, stderr } = await push(`${registry.address}/tunnel`, ['--ca-file', ca]);
    expect(code, stderr).toBe(0);
    await expectThere(registry, 'tunnel');
  });

  test('spoken to without TLS: it says what is missing', async () => {
    for (const [to, flags] of [
      [elsewhere(registry), ['--plain-http']],
      [registry.address, []],
    ] as const) {
      const { code, document } = await push(`${to}/plain`, flags);
      expect([code, document['code']]).toEqual([3, 'REGISTRY_PROTOCOL']);
      expect(document['hint']).toContain('--ca-file');
    }
  });

  test('a CA file that is missing, or holds no certificate', async () => {
    for (const file of ['absent.pem', 'release.pub'])
      expect(await push(`${elsewhere(registry)}/shop`, ['--ca-file', file])).toMatchObject({
        code: 2,
        document: { code: 'FILE_NOT_FOUND', message: expect.stringContaining(site.file(file)) },
      });
  });
});

describe('behind a proxy', () => {
  let registry: Registry;
  let plain: Registry;
  beforeAll(async () => {
    registry = await startRegistry({ name: runName('push-proxied'), tls });
    plain = await startRegistry({ name: runName('push-proxied-plain') });
  });
  afterAll(async () => {
    await registry?.stop();
    await plain?.stop();
  });
  const withCa = (): string[] => ['--ca-file', ca];
  const known = (): { hosts: Record<string, string> } => ({
    hosts: { 'registry.test:443': registry.address, 'registry.test': plain.address },
  });

  test('HTTPS_PROXY: all of it goes by CONNECT, to a name that only the proxy resolves', async () => {
    await using proxy = await startProxy(known());
    const { code, stderr } = await push('registry.test/shop', withCa(), { HTTPS_PROXY: `http://${proxy.address}` });
    expect(code, stderr).toBe(0);
    expect(new Set(proxy.passed)).toEqual(new Set(['CONNECT registry.test:443']));
    const sizes = [...site.release.blobs.values()].map(({ length }) => length);
    expect(proxy.bytes()).toBeGreaterThan(sizes.reduce((sum, one) => sum + one, 0));
    await expectThere(registry, 'shop');
  });

  test('HTTP_PROXY, for a registry without TLS; the other variable is not for it', async () => {
    await using proxy = await startProxy(known());
    const env = { http_proxy: `http://${proxy.address}`, HTTPS_PROXY: 'http://127.0.0.1:1' };
    const { code, stderr } = await push('registry.test/shop', ['--plain-http'], env);
    expect(code, stderr).toBe(0);
    expect(proxy.passed).toContain('PUT http://registry.test/v2/shop/example/shop-api/manifests/0.3.0');
    await expectThere(plain, 'shop');
  });

  test('written without http://, as curl and Docker take it', async () => {
    await using proxy = await startProxy(known());
    const { code, stderr } = await push('registry.test/bare', withCa(), { HTTPS_PROXY: proxy.address });
    expect(code, stderr).toBe(0);
    expect(proxy.passed).not.toEqual([]);
  });

  test('NO_PROXY, and a loopback address: nothing goes by it', async () => {
    await using proxy = await startProxy(known());
    const HTTPS_PROXY = `http://${proxy.address}`;
    const direct = elsewhere(registry);
    for (const NO_PROXY of ['0.0.0.0', `other.test, 0.0.0.0:${portOf(registry)}`, '0.0.0.0/8', '*'])
      expect(await push(`${direct}/direct`, withCa(), { HTTPS_PROXY, NO_PROXY }), NO_PROXY).toMatchObject({ code: 0 });
    expect(await push(`${registry.address}/direct`, withCa(), { HTTPS_PROXY })).toMatchObject({ code: 0 });
    expect(proxy.passed).toEqual([]);
    // that it would have gone by it, but for these
    expect(await push(`${direct}/direct`, withCa(), { HTTPS_PROXY, NO_PROXY: 'other.test' })).toMatchObject({ code: 0 });
    expect(new Set(proxy.passed)).toEqual(new Set([`CONNECT ${direct}`]));
    await expectThere(registry, 'direct');
  });

  test('it wants a login: refused at once, the proxy is named and no password; with the login it passes', async () => {
    await using proxy = await startProxy({ ...known(), login: 'me:s:ecret' });
    const env = (login: string) => ({
      HTTPS_PROXY: `http://${login}${proxy.address}`,
      HTTP_PROXY: `http://${login}${proxy.address}`,
    });
    for (const [flags, variable, from] of [
      [withCa(), 'HTTPS_PROXY', registry],
      [['--plain-http'], 'HTTP_PROXY', plain],
    ] as const)
      await expectNothingCame(from, async () => {
        proxy.refused.length = 0;
        const { code, document, stdout, stderr } = await push('registry.test/login', flags, env('me:wrongword@'));
        expect([code, document['code']]).toEqual([3, 'REGISTRY_UNREACHABLE']);
        expect(document['message']).toMatch(new RegExp(`proxy http://${proxy.address} \\(${variable}\\).* 407`));
        expect(document['hint']).toContain(`${variable}=http://USER:PASSWORD@${proxy.address}`);
        expect(stdout + stderr).not.toMatch(/wrongword|registry answered/);
        expect(proxy.refused.length, 'no second try').toBeLessThanOrEqual(site.release.manifest.images.length);
      });
    expect(await push('registry.test/login', withCa(), env('me:s%3Aecret@'))).toMatchObject({ code: 0 });
    expect(await push('registry.test/login', ['--plain-http'], env('me:s%3Aecret@'))).toMatchObject({ code: 0 });
  });

  test('nobody is there, or it forbids: the proxy is named, not the registry', async () => {
    await using proxy = await startProxy({ ...known(), refuse: () => 403 });
    await expectNothingCame(registry, async () => {
      for (const [address, why] of [
        ['127.0.0.1:1', 'ECONNREFUSED'],
        ['proxy.invalid:3128', 'ENOTFOUND|EAI_AGAIN'],
        [proxy.address, '403'],
      ]) {
        const { code, document } = await push('registry.test/shop', withCa(), { HTTPS_PROXY: `http://${address}` });
        expect([code, document['code']]).toEqual([3, 'REGISTRY_UNREACHABLE']);
        expect(document['message']).toMatch(new RegExp(`proxy http://${address} \\(HTTPS_PROXY\\).*(${why})`));
        expect(document['hint']).toContain('NO_PROXY');
      }
    });
  });

  test('it has a bad moment: asked again', async () => {
    let left = 3;
    await using proxy = await startProxy({ ...known(), refuse: () => (left-- > 0 ? 503 : undefined) });
    const { code, stderr } = await push('registry.test/again', withCa(), { HTTPS_PROXY: `http://${proxy.address}` });
    expect(code, stderr).toBe(0);
    expect(proxy.refused).toHaveLength(3);
  });

  test('the way behind it is cut: it goes on', async () => {
    await using way = await cuttingWay(registry.address, [1000, 4000, 2500, 6000]);
    await using proxy = await startProxy({ hosts: { 'registry.test:443': way.address } });
    const { code, stderr } = await push('registry.test/cut', withCa(), { HTTPS_PROXY: `http://${proxy.address}` });
    expect(code, stderr).toBe(0);
    expect(way.cuts()).toBe(4);
    await expectThere(registry, 'cut');
  });

  test('a bundle that was damaged is told as that, not as a failure of the proxy', async () => {
    await using proxy = await startProxy(known());
    const whole = await readFile(site.file('shop.tar'));
    const damaged = Buffer.from(whole);
    const { digest } = site.release.manifest.images[1]!.layers[1]!;
    damaged[damaged.indexOf(site.release.blobs.get(digest)!) + 20]! ^= 1;
    await writeFile(site.file('shop.tar'), damaged);
    const { code, document } = await push('registry.test/damaged', withCa(), { HTTPS_PROXY: `http://${proxy.address}` });
    await writeFile(site.file('shop.tar'), whole);
    expect([code, document['code']]).toEqual([4, 'BUNDLE_DIGEST_MISMATCH']);
  });

  test.each(['socks5://me:s3cret@127.0.0.1:1080', 'http://me:s3cret@'])(
    'HTTPS_PROXY=%s is none that airdock can ask',
    async (it) => {
      const { code, document, stdout, stderr } = await push('registry.test/shop', withCa(), { HTTPS_PROXY: it });
      expect([code, document['code']]).toEqual([3, 'CONFIG_INVALID']);
      expect(document['message']).toContain('HTTPS_PROXY');
      expect(stdout + stderr).not.toContain('s3cret');
    },
  );
});
