import { readFileSync } from 'node:fs';
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import tls from 'node:tls';
import { proxyFailure, proxyFor, proxyRefusal } from './proxy.ts';

/** A request body of known size. `open` may be called again for a retry. */
export type Upload = { size: number; open(): AsyncIterable<Buffer> };

/** One HTTP exchange: no redirects, no retries, no cookies. The body must be read or destroyed. */
export type HttpRequest = {
  url: URL;
  method?: 'GET' | 'HEAD' | 'POST' | 'PATCH' | 'PUT' | undefined;
  headers?: Record<string, string>;
  body?: string | Buffer | Upload | undefined;
  signal?: AbortSignal | undefined;
};
export type HttpResponse = { status: number; headers: http.IncomingHttpHeaders; body: IncomingMessage };
export type Transport = { send(request: HttpRequest): Promise<HttpResponse>; close(): void };

export type TransportOptions = {
  /** HTTP_PROXY, HTTPS_PROXY, NO_PROXY (also lowercase) are read from it: Node ignores them by itself. */
  env: Readonly<Record<string, string | undefined>>;
  /** PEM certificates trusted besides Node's and the system's. */
  ca?: readonly string[];
  /** A connection that is idle for this long is dropped. */
  idleMs?: number;
};

export function httpTransport(options: TransportOptions): Transport {
  const idle = options.idleMs ?? 60_000;
  const keep = { keepAlive: true, maxSockets: 16 };
  const agents = new Map<string, http.Agent>();
  // Reading the system's certificates is slow, so it is not done for plain http.
  const ca = (): string[] => [
    ...new Set([...tls.getCACertificates('default'), ...tls.getCACertificates('system'), ...(options.ca ?? [])]),
  ];
  const agentOf = (secure: boolean, proxy: string | undefined): http.Agent => {
    const key = `${secure} ${proxy}`;
    const proxied = { ...keep, ...(proxy === undefined ? {} : { proxyEnv: { http_proxy: proxy, https_proxy: proxy } }) };
    const agent = agents.get(key) ?? (secure ? new https.Agent({ ...proxied, ca: ca() }) : new http.Agent(proxied));
    agents.set(key, agent);
    return agent;
  };

  return {
    async send({ url, method = 'GET', headers = {}, body, signal }) {
      const secure = url.protocol === 'https:';
      // As with Go's clients, loopback addresses never go through a proxy.
      const proxy = isLoopback(url.hostname) ? undefined : proxyFor(url, options.env);
      const agent = agentOf(secure, proxy?.url.href);
      return new Promise((resolve, reject) => {
        const request = (secure ? https : http).request(url, {
          method,
          headers: { 'user-agent': 'airdock', ...headers, ...(isUpload(body) ? { 'content-length': String(body.size) } : {}) },
          agent,
          // this timeout also covers a proxy that does not answer CONNECT, when the request has no socket yet
          timeout: idle,
          signal,
        });
        request.on('timeout', () => request.destroy(new Error(`no answer for ${idle / 1000} s`)));
        const fail = (error: Error): void => reject(proxy ? proxyFailure(error, proxy, url) : error);
        request.on('error', fail);
        request.on('response', (response) => {
          // in a tunnel, 407 would come from the registry
          if (proxy && !secure && response.statusCode === 407) {
            response.destroy();
            return reject(proxyRefusal(proxy, url, 407));
          }
          return resolve({ status: response.statusCode ?? 0, headers: response.headers, body: response });
        });
        // an error of the source rejects here; an error of the connection is an event of the request
        if (isUpload(body)) pipeline(Readable.from(body.open(), { highWaterMark: 1 }), request).catch(fail);
        else request.end(body);
      });
    },
    close() {
      for (const agent of agents.values()) agent.destroy();
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
