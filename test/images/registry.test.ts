import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { digestOf } from '../../src/digest.ts';
import { parseReference } from '../../src/images/reference.ts';
import { Registry } from '../../src/images/registry.ts';
import { httpTransport } from '../../src/images/transport.ts';
import { makeImage } from '../helpers/bundle.ts';
import { client, dropAfter, FaultRegistry, impatient } from '../helpers/fault-registry.ts';

let registry: FaultRegistry;
afterEach(async () => registry[Symbol.asyncDispose]());

const image = makeImage('ghcr.io/acme/api:1', ['one']);

async function start(): Promise<void> {
  registry = await FaultRegistry.start();
  registry.add(image, 'acme/api', '1');
}

function name(tag = '1') {
  return parseReference(`${registry.address}/acme/api:${tag}`);
}

async function read(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = [];
  for await (const chunk of chunks) all.push(Buffer.from(chunk));
  return Buffer.concat(all);
}

test('401 without credentials: says registry, reference, status and how to log in', async () => {
  await start();
  registry.fault = (_, response) => {
    response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
    return true;
  };
  await expect(client().resolve(name())).rejects.toMatchObject({
    code: 'REGISTRY_UNAUTHORIZED',
    exitCode: 3,
    message: expect.stringMatching(new RegExp(`${registry.address} answered 401 .*acme/api:1`)),
    hint: expect.stringContaining(`docker login ${registry.address}`),
  });
});

test('401 again with credentials: refused once, not repeated', async () => {
  await start();
  registry.fault = (_, response) => {
    response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
    return true;
  };
  const wrong = client({ credentials: async () => ({ username: 'me', password: 'wrong' }) });
  await expect(wrong.resolve(name())).rejects.toMatchObject({ code: 'REGISTRY_UNAUTHORIZED' });
  expect(registry.seen.map(({ authorization }) => authorization)).toEqual([
    undefined,
    `Basic ${Buffer.from('me:wrong').toString('base64')}`,
  ]);
});

test('404 names image and tag', async () => {
  await start();
  await expect(client().resolve(name('9'))).rejects.toMatchObject({
    code: 'REGISTRY_NOT_FOUND',
    exitCode: 3,
    message: expect.stringMatching(/answered 404 .*acme\/api:9 \(MANIFEST_UNKNOWN: manifest unknown\)/),
    hint: expect.stringContaining('Check name and tag'),
  });
});

test('429 with Retry-After: waits as long as asked, then goes on', async () => {
  await start();
  let times = 0;
  registry.fault = (_, response) => {
    times += 1;
    if (times > 2) return false;
    response.writeHead(429, { 'retry-after': '7' }).end();
    return true;
  };
  const pauses: number[] = [];
  expect((await client({ pauses }).resolve(name())).digest).toBe(image.record.manifestDigest);
  expect(pauses).toEqual([7000, 7000]);
});

test('429 that asks for an hour: fails at once and says so', async () => {
  await start();
  registry.fault = (_, response) => {
    response.writeHead(429, { 'retry-after': '3600' }).end();
    return true;
  };
  const pauses: number[] = [];
  await expect(client({ pauses }).resolve(name())).rejects.toMatchObject({
    code: 'REGISTRY_RATE_LIMITED',
    message: expect.stringContaining('3600 s'),
    details: expect.objectContaining({ retryAfterSeconds: 3600 }),
  });
  expect(pauses).toEqual([]);
});

test('503 for good: bounded attempts', async () => {
  await start();
  registry.fault = (_, response) => {
    response.writeHead(503).end();
    return true;
  };
  await expect(client().resolve(name())).rejects.toMatchObject({ code: 'REGISTRY_UNREACHABLE' });
  expect(registry.seen).toHaveLength(4);
});

test('nobody listens: one attempt, and a hint', async () => {
  await start();
  const gone = name();
  await registry[Symbol.asyncDispose]();
  const pauses: number[] = [];
  await expect(client({ pauses }).resolve(gone)).rejects.toMatchObject({
    code: 'REGISTRY_UNREACHABLE',
    message: expect.stringContaining('ECONNREFUSED'),
    hint: expect.stringContaining('--mirror'),
  });
  expect(pauses).toEqual([]);
  registry = await FaultRegistry.start();
});

test('a server that falls silent is given up', async () => {
  await start();
  registry.fault = () => true;
  await expect(client({ idleMs: 30 }).resolve(name())).rejects.toMatchObject({
    code: 'REGISTRY_UNREACHABLE',
    message: expect.stringContaining('no answer for'),
  });
  expect(registry.seen).toHaveLength(4);
});

const large = Buffer.from(Array.from({ length: 300_000 }, (_, index) => index % 251));
const wanted = { digest: digestOf(large), size: large.length };

test('a connection dropped within a blob goes on where it ended, by Range', async () => {
  await start();
  registry.blobs.set(wanted.digest, large);
  const drops = [100_000, 50_000];
  registry.fault = (request, response) => {
    const count = drops.shift();
    if (count === undefined) return false;
    const from = Number(/\d+/.exec(request.headers.range ?? '0')?.[0]);
    return dropAfter(
      response,
      large.subarray(from),
      count,
      from > 0 ? { 'content-range': `bytes ${from}-${large.length - 1}/${large.length}` } : {},
      from > 0 ? 206 : 200,
    );
  };
  expect(digestOf(await read(client().blob(name(), wanted)))).toBe(wanted.digest);
  expect(registry.seen.map(({ range }) => range)).toEqual([undefined, 'bytes=100000-', 'bytes=150000-']);
});

test('a server without Range sends all, and what is there already is skipped', async () => {
  await start();
  let first = true;
  registry.fault = (_, response) => {
    if (first) {
      first = false;
      return dropAfter(response, large, 100_000);
    }
    response.writeHead(200, { 'content-length': large.length }).end(large);
    return true;
  };
  expect(digestOf(await read(client().blob(name(), wanted)))).toBe(wanted.digest);
});

test('connections dropped for good: bounded, and the message says how far it came', async () => {
  await start();
  registry.fault = (request, response) =>
    request.headers.range === undefined ? dropAfter(response, large, 1000) : (response.destroy(), true);
  await expect(read(client().blob(name(), wanted))).rejects.toMatchObject({
    code: 'REGISTRY_UNREACHABLE',
    exitCode: 3,
    message: expect.stringContaining('blob sha256:'),
    hint: expect.stringContaining('what has arrived is kept'),
  });
  expect(registry.seen.length).toBeLessThan(12);
});

test('more bytes than the manifest says are refused', async () => {
  await start();
  registry.fault = (_, response) => {
    response.writeHead(200).end(large);
    return true;
  };
  await expect(read(client().blob(name(), { ...wanted, size: 1000 }))).rejects.toMatchObject({
    code: 'REGISTRY_PROTOCOL',
    message: expect.stringContaining('more than the 1000 bytes'),
  });
});

test('a range that was not asked for is refused', async () => {
  await start();
  registry.fault = (_, response) => {
    response.writeHead(206, { 'content-range': 'bytes 5-9/10' }).end(large.subarray(5, 10));
    return true;
  };
  await expect(read(client().blob(name(), wanted, { offset: 3 }))).rejects.toMatchObject({ code: 'REGISTRY_PROTOCOL' });
});

test('a redirect to another host gets no Authorization; the same host keeps it', async () => {
  await start();
  await using storage = await FaultRegistry.start();
  storage.fault = (_, response) => {
    response.writeHead(200, { 'content-length': large.length }).end(large);
    return true;
  };
  registry.fault = (request, response) => {
    if (request.headers.authorization === undefined) response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
    else if (request.url?.includes('/blobs/')) response.writeHead(307, { location: '/elsewhere' }).end();
    else response.writeHead(307, { location: `${storage.url.href}bucket/blob?X-Signature=1` }).end();
    return true;
  };
  const known = client({ credentials: async () => ({ username: 'me', password: 'secret' }) });
  expect(digestOf(await read(known.blob(name(), wanted)))).toBe(wanted.digest);
  expect(registry.paths().at(-1)).toBe('GET /elsewhere');
  expect(registry.seen.at(-1)?.authorization).toMatch(/^Basic /);
  expect(storage.seen).toHaveLength(1);
  expect(storage.seen[0]).toMatchObject({ path: '/bucket/blob?X-Signature=1', authorization: undefined });
});

test('redirects without end are refused', async () => {
  await start();
  registry.fault = (_, response) => {
    response.writeHead(302, { location: '/again' }).end();
    return true;
  };
  await expect(client().resolve(name())).rejects.toMatchObject({ code: 'REGISTRY_PROTOCOL' });
});

test('a token: asked for once by parallel requests, with scope and credentials, renewed when it expires', async () => {
  await start();
  let token = 'first';
  registry.fault = (request, response) => {
    if (request.url?.startsWith('/token')) {
      setTimeout(() => response.writeHead(200).end(JSON.stringify({ token })), 20);
      return true;
    }
    if (request.headers.authorization === `Bearer ${token}`) return false;
    const realm = `Bearer realm="${registry.url.href}token",service="reg",scope="repository:acme/api:pull"`;
    response.writeHead(401, { 'www-authenticate': realm }).end();
    return true;
  };
  const known = client({ credentials: async () => ({ username: 'me', password: 'secret' }) });
  await Promise.all([known.resolve(name()), known.resolve(name()), known.manifest(name(), image.record.manifestDigest)]);
  const tokens = () => registry.seen.filter(({ path }) => path.startsWith('/token'));
  expect(tokens()).toEqual([
    expect.objectContaining({
      path: '/token?service=reg&scope=repository%3Aacme%2Fapi%3Apull',
      authorization: `Basic ${Buffer.from('me:secret').toString('base64')}`,
    }),
  ]);
  token = 'second';
  await known.resolve(name());
  expect(tokens()).toHaveLength(2);
});

test('an identity token is exchanged by POST', async () => {
  await start();
  let body = '';
  registry.fault = async (request, response) => {
    if (request.url === '/token') {
      for await (const chunk of request) body += String(chunk);
      response.writeHead(200).end('{"access_token":"t"}');
      return true;
    }
    if (request.headers.authorization === 'Bearer t') return false;
    response.writeHead(401, { 'www-authenticate': `Bearer realm="${registry.url.href}token",service="reg"` }).end();
    return true;
  };
  await client({ credentials: async () => ({ identityToken: 'refresh-me' }) }).resolve(name());
  expect(Object.fromEntries(new URLSearchParams(body))).toMatchObject({
    grant_type: 'refresh_token',
    refresh_token: 'refresh-me',
    scope: 'repository:acme/api:pull',
  });
});

test('a manifest cut short is refused', async () => {
  await start();
  const bytes = image.blobs.get(image.record.manifestDigest) as Buffer;
  registry.fault = (_, response) => {
    response.writeHead(200, { 'docker-content-digest': image.record.manifestDigest }).end(bytes.subarray(0, 40));
    return true;
  };
  await expect(client().resolve(name())).rejects.toMatchObject({ code: 'SOURCE_CORRUPT' });
  await expect(client().manifest(name(), image.record.manifestDigest)).rejects.toMatchObject({ code: 'SOURCE_CORRUPT' });
});

test('a manifest that never ends is not kept in memory', async () => {
  await start();
  registry.fault = (_, response) => {
    const more = (error?: Error | null): void => void (error ?? response.write(large, more));
    response.writeHead(200);
    more();
    return true;
  };
  await expect(client().resolve(name())).rejects.toMatchObject({ code: 'REGISTRY_PROTOCOL' });
});

test('a mirror is read instead, the name stays', async () => {
  await start();
  const mirrored = new Registry({
    transport: httpTransport({ env: {} }),
    credentials: async () => undefined,
    retry: impatient(),
    mirrors: new Map([['ghcr.io', new URL(`${registry.url.href}proxy/`)]]),
  });
  registry.add(image, 'proxy/acme/api', '1');
  expect((await mirrored.resolve(parseReference('ghcr.io/acme/api:1'))).digest).toBe(image.record.manifestDigest);
  expect(registry.paths()).toEqual(['GET /v2/proxy/acme/api/manifests/1']);
  await expect(mirrored.resolve(parseReference('ghcr.io/acme/api:2'))).rejects.toMatchObject({
    message: expect.stringContaining('ghcr.io/acme/api:2'),
  });
});

test('a proxy is asked for what NO_PROXY does not name', async () => {
  await start();
  const asked: string[] = [];
  const proxy = createServer((request, response) => {
    asked.push(request.url ?? '');
    const found = registry.manifests.get('acme/api:1');
    response.writeHead(200, { 'content-type': found?.mediaType }).end(found?.bytes);
  });
  await new Promise<void>((done) => proxy.listen(0, '127.0.0.1', done));
  const address = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  const through = new Registry({
    transport: httpTransport({ env: { HTTP_PROXY: address, NO_PROXY: 'direct.invalid' } }),
    credentials: async () => undefined,
    retry: impatient(),
    insecure: new Set(['registry.invalid', 'direct.invalid']),
  });
  await through.resolve(parseReference('registry.invalid/acme/api:1'));
  await expect(through.resolve(parseReference('direct.invalid/acme/api:1'))).rejects.toMatchObject({
    code: 'REGISTRY_UNREACHABLE',
  });
  await through.resolve(name());
  expect(asked).toEqual(['http://registry.invalid/v2/acme/api/manifests/1']);
  expect(registry.seen).toHaveLength(1);
  proxy.close();
});

test('interrupted within a blob: INTERRUPTED, no more requests', async () => {
  await start();
  const stop = new AbortController();
  registry.fault = (_, response) => {
    response.writeHead(200, { 'content-length': large.length });
    response.write(large.subarray(0, 1000), () => stop.abort());
    return true;
  };
  await expect(read(client().blob(name(), wanted, { signal: stop.signal }))).rejects.toMatchObject({
    code: 'INTERRUPTED',
    exitCode: 130,
  });
  expect(registry.seen).toHaveLength(1);
});
