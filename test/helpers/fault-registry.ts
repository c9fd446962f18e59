import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseDigest, type Digest } from '../../src/digest.ts';
import { Registry } from '../../src/images/registry.ts';
import type { RetryPolicy } from '../../src/images/retry.ts';
import { httpTransport } from '../../src/images/transport.ts';
import type { CredentialSource } from '../../src/images/credentials.ts';
import type { TestImage } from './bundle.ts';

/** True when it has answered; else the registry answers as it should. */
export type Fault = (request: IncomingMessage, response: ServerResponse) => boolean | Promise<boolean>;

/**
 * A registry for what the real one cannot do on demand: refuse, throttle, drop, lie. Everything that a registry does
 * when nothing is wrong is tested against docker-registry (test/engine).
 */
export class FaultRegistry implements AsyncDisposable {
  /** `GET /v2/… range=bytes=5-` of every request so far. */
  readonly seen: { method: string; path: string; authorization: string | undefined; range: string | undefined }[] = [];
  readonly blobs = new Map<Digest, Buffer>();
  readonly manifests = new Map<string, { bytes: Buffer; mediaType: string }>();
  fault: Fault = () => false;
  address = '';
  readonly #server = createServer((request, response) => void this.#answer(request, response));

  static async start(fault?: Fault): Promise<FaultRegistry> {
    const registry = new FaultRegistry();
    if (fault) registry.fault = fault;
    await new Promise<void>((done) => registry.#server.listen(0, '127.0.0.1', done));
    registry.address = `127.0.0.1:${(registry.#server.address() as AddressInfo).port}`;
    return registry;
  }

  get url(): URL {
    return new URL(`http://${this.address}`);
  }

  /** Under its repository and tag, and under its digest. */
  add({ record, blobs }: TestImage, repository: string, tag: string): void {
    for (const [digest, bytes] of blobs) this.blobs.set(digest, bytes);
    const bytes = blobs.get(record.manifestDigest);
    if (!bytes) throw new Error('an image without a manifest');
    for (const name of [tag, record.manifestDigest]) {
      this.manifests.set(`${repository}:${name}`, { bytes, mediaType: record.manifestMediaType });
    }
  }

  paths(): string[] {
    return this.seen.map(({ method, path }) => `${method} ${path}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? '';
    const { authorization, range } = request.headers;
    this.seen.push({ method: request.method ?? '', path, authorization, range });
    if (await this.fault(request, response)) return;
    const [, repository = '', kind, reference = ''] = /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(path) ?? [];
    if (kind === 'manifests') {
      const found = this.manifests.get(`${repository}:${reference}`);
      if (!found)
        return void response.writeHead(404).end('{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}');
      return void response.writeHead(200, { 'content-type': found.mediaType }).end(found.bytes);
    }
    const blob = this.blobs.get(parseDigest(reference));
    if (!blob) return void response.writeHead(404).end();
    const from = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0);
    const part = blob.subarray(from);
    response.writeHead(from > 0 ? 206 : 200, {
      'content-length': part.length,
      ...(from > 0 ? { 'content-range': `bytes ${from}-${blob.length - 1}/${blob.length}` } : {}),
    });
    response.end(part);
  }
}

/** Sends so many bytes of a body that is announced in full, then cuts the connection. */
export function dropAfter(
  response: ServerResponse,
  bytes: Buffer,
  count: number,
  headers: Record<string, string> = {},
  status = 200,
): true {
  response.writeHead(status, { 'content-length': String(bytes.length), ...headers });
  response.write(bytes.subarray(0, count), () => response.destroy());
  return true;
}

/** Pauses are noted, not made. */
export function impatient(pauses: number[] = []): RetryPolicy {
  return {
    attempts: 4,
    pauseMs: 1,
    longestMs: 60_000,
    sleep: async (ms) => void pauses.push(ms),
  };
}

export function client(
  options: { credentials?: CredentialSource; pauses?: number[]; env?: Record<string, string>; idleMs?: number } = {},
): Registry {
  return new Registry({
    transport: httpTransport({ env: options.env ?? {}, ...(options.idleMs === undefined ? {} : { idleMs: options.idleMs }) }),
    credentials: options.credentials ?? (async () => undefined),
    retry: impatient(options.pauses),
  });
}
