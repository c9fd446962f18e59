import { createHash, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { digestOf } from '../../src/digest.ts';
import { parseReference, type ImageName } from '../../src/images/reference.ts';
import { RegistryWriter } from '../../src/images/registry-writer.ts';
import { httpTransport } from '../../src/images/transport.ts';
import { impatient } from '../helpers/fault-registry.ts';

// distribution-spec "Pushing a blob in chunks", by a registry that tells how far an upload came when it was cut: docker-registry
// does not (test/engine/push.test.ts).
const bytes = randomBytes(150 << 20);
const digest = digestOf(bytes);
let server: ReturnType<typeof createServer>;
let name: ImageName;
let writer: RegistryWriter;
let kept: Buffer[];
/** `PATCH 0-67108863`, `PUT 134217728-157286399`, `GET` */
let seen: string[];
let received: number;
/** The connection is cut when so many bytes of all came; the next number is for the next cut. */
let cuts: number[];
let forgets: boolean;

const size = (): number => kept.reduce((sum, one) => sum + one.length, 0);
function answer(request: IncomingMessage, response: ServerResponse): void {
  const { method = '', headers } = request;
  if (method !== 'POST') seen.push(`${method}${headers['content-range'] ? ` ${headers['content-range']}` : ''}`);
  const said = { location: '/v2/shop/blobs/uploads/1', range: `0-${Math.max(0, size() - 1)}` };
  if (method === 'POST') {
    kept = [];
    response.writeHead(202, said).end();
  } else if (method === 'GET') response.writeHead(forgets ? 404 : 204, said).end();
  else {
    request.on('data', (chunk: Buffer) => {
      received += chunk.length;
      kept.push(chunk);
      if (received < (cuts[0] ?? Infinity)) return;
      cuts.shift();
      request.socket.destroy();
    });
    request.on('end', () => response.writeHead(method === 'PUT' ? 201 : 202, { ...said, range: `0-${size() - 1}` }).end());
  }
}

beforeEach(async () => {
  [kept, seen, received, cuts, forgets] = [[], [], 0, [], false];
  server = createServer(answer);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  name = parseReference(`127.0.0.1:${(server.address() as AddressInfo).port}/shop:1`);
  const transport = httpTransport({ env: {} });
  writer = new RegistryWriter({ transport, credentials: async () => undefined, retry: impatient(), writes: ['shop'] });
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const send = (): Promise<void> =>
  writer.send(name, {
    digest,
    size: bytes.length,
    async *read(from, length) {
      for (let at = from; at < from + length; at += 1 << 20) yield bytes.subarray(at, Math.min(at + (1 << 20), from + length));
    },
  });
const arrived = (): string => `sha256:${createHash('sha256').update(Buffer.concat(kept)).digest('hex')}`;

test('in parts of 64 MiB', async () => {
  await send();
  expect(seen).toEqual(['PATCH 0-67108863', 'PATCH 67108864-134217727', 'PUT 134217728-157286399']);
  expect(arrived()).toBe(digest);
});

test('cut twice: it goes on from the byte where it was', async () => {
  cuts = [80 << 20, 140 << 20];
  await send();
  expect(arrived()).toBe(digest);
  expect(received).toBe(bytes.length);
  expect(seen.filter((line) => line === 'GET')).toHaveLength(2);
});

test('cut, and forgotten meanwhile: from the beginning', async () => {
  cuts = [80 << 20];
  forgets = true;
  await send();
  expect(arrived()).toBe(digest);
  expect(received).toBeGreaterThanOrEqual(bytes.length + (80 << 20));
  expect(seen.filter((line) => line === 'PATCH 0-67108863')).toHaveLength(2);
});
