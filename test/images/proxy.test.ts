import { createServer, type AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { proxyFor } from '../../src/images/proxy.ts';
import { parseReference } from '../../src/images/reference.ts';
import { client } from '../helpers/fault-registry.ts';

const asked = (address: string, env: Record<string, string>): string | undefined => proxyFor(new URL(address), env)?.url.href;

test('a variable for each scheme, lowercase first; an empty one is none', () => {
  expect(asked('https://a.test', { HTTP_PROXY: 'http://p:1' })).toBeUndefined();
  expect(asked('http://a.test', { HTTPS_PROXY: 'http://p:1' })).toBeUndefined();
  expect(asked('https://a.test', { HTTPS_PROXY: 'http://p:1', https_proxy: 'https://q:2' })).toBe('https://q:2/');
  expect(asked('https://a.test', { HTTPS_PROXY: 'p:1', https_proxy: '' })).toBe('http://p:1/');
  expect(asked('https://a.test', { HTTPS_PROXY: '' })).toBeUndefined();
});

test.each([
  ['corp.test', 'https://corp.test'],
  ['corp.test', 'https://registry.corp.test:5000'],
  ['.corp.test', 'https://registry.corp.test'],
  ['*.corp.test', 'https://registry.corp.test'],
  ['other, Corp.Test', 'https://registry.corp.test'],
  ['other corp.test', 'https://registry.corp.test'],
  ['registry.test:5000', 'https://registry.test:5000'],
  ['registry.test:443', 'https://registry.test'],
  ['registry.test:80', 'http://registry.test'],
  ['10.0.0.0/8', 'https://10.1.2.3'],
  ['10.1.2.3', 'https://10.1.2.3:5000'],
  ['10.1.2.3:5000', 'https://10.1.2.3:5000'],
  ['fd00::/8', 'https://[fd12::1]:5000'],
  ['fd12::1', 'https://[fd12::1]'],
  ['[fd12::1]:5000', 'https://[fd12::1]:5000'],
  ['*', 'https://registry.test'],
])('NO_PROXY=%s: %s is reached without it', (list, address) => {
  const proxies = { HTTP_PROXY: 'http://p:1', HTTPS_PROXY: 'http://p:1' };
  expect(asked(address, { ...proxies, NO_PROXY: list })).toBeUndefined();
  expect(asked(address, { ...proxies, no_proxy: list, NO_PROXY: 'other' })).toBeUndefined();
});

test.each([
  ['', 'https://registry.test'],
  ['corp.test', 'https://notcorp.test'],
  ['registry.corp.test', 'https://corp.test'],
  ['registry.test:5000', 'https://registry.test'],
  ['10.0.0.0/8', 'https://11.1.2.3'],
  ['10.0.0.0/8', 'https://registry.test'],
  ['10.0.0.0/99', 'https://10.1.2.3'],
  ['registry.test/x', 'https://registry.test'],
  ['.', 'https://registry.test'],
  ['fd00::/8', 'https://10.1.2.3'],
])('NO_PROXY=%s: not %s', (list, address) => {
  expect(asked(address, { HTTPS_PROXY: 'http://p:1', NO_PROXY: list })).toBe('http://p:1/');
});

test.each(['socks5://me:s3cret@p:1', 'http://', 'http://me:s3%cret@p:1'])('%s is none', (value) => {
  expect(() => asked('https://a.test', { https_proxy: value })).toThrow(
    expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringMatching(/^https_proxy (?!.*s3)/) }),
  );
  // nobody asks it
  expect(asked('https://a.test', { https_proxy: value, NO_PROXY: 'a.test' })).toBeUndefined();
});

test('a proxy that takes the connection and says nothing is not waited for for ever', async () => {
  await using silent = await listening();
  const pauses: number[] = [];
  const registry = client({ env: { HTTPS_PROXY: silent.address }, idleMs: 50, pauses });
  await expect(registry.resolve(parseReference('registry.test/acme/api:1'))).rejects.toMatchObject({
    code: 'REGISTRY_UNREACHABLE',
    message: expect.stringContaining(`proxy http://${silent.address} (HTTPS_PROXY)`),
  });
  expect(pauses).toHaveLength(3);
});

async function listening(): Promise<{ address: string } & AsyncDisposable> {
  const server = createServer();
  const sockets = new Set<{ destroy(): void }>();
  server.on('connection', (socket) => void sockets.add(socket.on('error', () => {})));
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
