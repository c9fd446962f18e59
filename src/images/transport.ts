import { readFileSync } from 'node:fs';
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import tls from 'node:tls';

/** Bytes to send, of a known number. `open` may be called again when they have to be sent again. */
export type Upload = { size: number; open(): AsyncIterable<Buffer> };

/** One HTTP exchange: no redirects, no retries, no cookies. The body must be read or destroyed. */
export type HttpRequest = {
  url: URL;
  method?: 'GET' | 'HEAD' | 'POST' | 'PATCH' | 'PUT';
  headers?: Record<string, string>;
  body?: string | Buffer | Upload;
  signal?: AbortSignal;
};
export type HttpResponse = { status: number; headers: http.IncomingHttpHeaders; body: IncomingMessage };
export type Transport = { send(request: HttpRequest): Promise<HttpResponse>; close(): void };

export type TransportOptions = {
  /** HTTP_PROXY, HTTPS_PROXY, NO_PROXY (also lowercase) are read from it: Node ignores them by itself. */
  env: Readonly<Record<string, string | undefined>>;
  /** PEM certificates trusted besides Node's and the system's. */
  ca?: readonly string[];
  /** A connection without a byte for so long is dropped. */
  idleMs?: number;
};

export function httpTransport(options: TransportOptions): Transport {
  const idle = options.idleMs ?? 60_000;
  const keep = { keepAlive: true, maxSockets: 16 };
  const proxyEnv = { ...options.env };
  const agents: http.Agent[] = [];
  const agent = <T extends http.Agent>(made: T): T => {
    agents.push(made);
    return made;
  };
  const lazy = <T>(make: () => T): (() => T) => {
    let made: T | undefined;
    return () => (made ??= make());
  };
  // Reading the system's certificates takes a while: not for plain http.
  const ca = lazy(() => [
    ...new Set([...tls.getCACertificates('default'), ...tls.getCACertificates('system'), ...(options.ca ?? [])]),
  ]);
  const direct = lazy(() => agent(new http.Agent(keep)));
  const directTls = lazy(() => agent(new https.Agent({ ...keep, ca: ca() })));
  const proxied = lazy(() => agent(new http.Agent({ ...keep, proxyEnv })));
  const proxiedTls = lazy(() => agent(new https.Agent({ ...keep, proxyEnv, ca: ca() })));

  return {
    send({ url, method = 'GET', headers = {}, body, signal }) {
      const secure = url.protocol === 'https:';
      // As Go's clients do: a proxy is never asked for this very machine.
      const here = isLoopback(url.hostname);
      const chosen = secure ? (here ? directTls() : proxiedTls()) : here ? direct() : proxied();
      return new Promise((resolve, reject) => {
        const request = (secure ? https : http).request(url, {
          method,
          headers: { 'user-agent': 'airdock', ...headers, ...(isUpload(body) ? { 'content-length': String(body.size) } : {}) },
          agent: chosen,
          ...(signal ? { signal } : {}),
        });
        request.setTimeout(idle, () => request.destroy(new Error(`no answer for ${idle / 1000} s`)));
        request.on('error', reject);
        request.on('response', (response) => {
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: response });
        });
        // a failure of the source ends the request with it; one of the connection is the request's own
        if (isUpload(body)) pipeline(Readable.from(body.open(), { highWaterMark: 1 }), request).catch(reject);
        else request.end(body);
      });
    },
    close() {
      for (const made of agents) made.destroy();
    },
  };
}

function isUpload(body: HttpRequest['body']): body is Upload {
  return typeof body === 'object' && 'open' in body;
}

export function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || hostname === '::1' || /^127(\.\d{1,3}){3}$/.test(hostname);
}

/** A PEM file of certificates. */
export function readCertificates(path: string): string[] {
  return (
    readFileSync(path, 'utf8').match(/-----BEGIN (?:TRUSTED )?CERTIFICATE-----[\s\S]+?-----END (?:TRUSTED )?CERTIFICATE-----/g) ??
    []
  );
}

/** At most `limit` bytes of a body; undefined when it has more. */
export async function readBody(body: AsyncIterable<Buffer>, limit: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > limit) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
