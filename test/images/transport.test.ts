import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { readFile } from 'node:fs/promises';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseReference } from '../../src/images/reference.ts';
import { Registry } from '../../src/images/registry.ts';
import { retryAfter } from '../../src/images/retry.ts';
import { httpTransport, readCertificates } from '../../src/images/transport.ts';
import { makeImage, temporaryFolder } from '../helpers/bundle.ts';
import { impatient } from '../helpers/fault-registry.ts';

const image = makeImage('x', ['one']);
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let server: ReturnType<typeof createServer>;
let mirrors: Map<string, URL>;
let answer: { status: number; headers: Record<string, string> } | undefined;
const seen: (string | undefined)[] = [];

beforeAll(async () => {
  folder = await temporaryFolder();
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', folder.file('key.pem')];
  await execa('openssl', ['req', '-x509', '-days', '2', ...key, '-out', folder.file('ca.pem'), ...subject]);
  server = createServer(
    { key: await readFile(folder.file('key.pem')), cert: await readFile(folder.file('ca.pem')) },
    (request, response) => {
      seen.push(request.headers.authorization);
      if (answer) response.writeHead(answer.status, answer.headers).end();
      else
        response
          .writeHead(200, { 'content-type': image.record.manifestMediaType })
          .end(image.blobs.get(image.record.manifestDigest));
    },
  );
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  mirrors = new Map([['ghcr.io', new URL(`https://localhost:${(server.address() as AddressInfo).port}`)]]);
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await folder[Symbol.asyncDispose]();
});

function resolve(ca: string[]) {
  const registry = new Registry({
    transport: httpTransport({ env: {}, ca }),
    credentials: async () => ({ username: 'me', password: 'secret' }),
    retry: impatient(),
    mirrors,
  });
  return registry.resolve(parseReference('ghcr.io/acme/api:1'));
}

test('a certificate of a CA that nobody knows: --ca-file; with it, it is trusted', async () => {
  await expect(resolve([])).rejects.toMatchObject({ code: 'REGISTRY_UNREACHABLE', hint: expect.stringContaining('--ca-file') });
  expect((await resolve(readCertificates(folder.file('ca.pem')))).digest).toBe(image.record.manifestDigest);
});

test('a certificate for other names, or one that ran out: another CA would not help', async () => {
  const named = new URL([...mirrors.values()][0]!);
  named.hostname = '0.0.0.0';
  mirrors.set('ghcr.io', named);
  await expect(resolve(readCertificates(folder.file('ca.pem')))).rejects.toMatchObject({
    code: 'REGISTRY_UNREACHABLE',
    hint: expect.stringMatching(/other names(?!.*--ca-file)/),
  });
  named.hostname = 'localhost';
  const over = ['-in', folder.file('ca.pem'), '-key', folder.file('key.pem'), '-days', '-1'];
  await execa('openssl', ['x509', ...over, '-out', folder.file('old.pem')]);
  server.setSecureContext({ key: await readFile(folder.file('key.pem')), cert: await readFile(folder.file('old.pem')) });
  await expect(resolve(readCertificates(folder.file('old.pem')))).rejects.toMatchObject({
    code: 'REGISTRY_UNREACHABLE',
    hint: expect.stringMatching(/not valid now(?!.*--ca-file)/),
  });
  server.setSecureContext({ key: await readFile(folder.file('key.pem')), cert: await readFile(folder.file('ca.pem')) });
});

test.each([
  ['a redirect', { status: 307, headers: { location: 'http://localhost:1/' } }],
  ['a token service', { status: 401, headers: { 'www-authenticate': 'Bearer realm="http://localhost:1/token"' } }],
])('%s that leaves https is refused, and nothing secret is sent', async (_, given) => {
  answer = given;
  seen.length = 0;
  await expect(resolve(readCertificates(folder.file('ca.pem')))).rejects.toMatchObject({
    code: 'REGISTRY_PROTOCOL',
    message: expect.stringContaining('not encrypted'),
  });
  expect(seen).toEqual([undefined]);
  answer = undefined;
});

test('Retry-After: seconds, a date, nonsense', () => {
  const now = Date.parse('2026-11-22T02:14:00Z');
  expect(retryAfter('7', now)).toBe(7000);
  expect(retryAfter('Sun, 22 Nov 2026 02:14:30 GMT', now)).toBe(30_000);
  expect(retryAfter('Sun, 22 Nov 2020 02:14:30 GMT', now)).toBe(0);
  expect(retryAfter('soon', now)).toBeUndefined();
  expect(retryAfter(undefined, now)).toBeUndefined();
});
