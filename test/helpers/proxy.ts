import { createServer, request as httpRequest, STATUS_CODES, type IncomingMessage } from 'node:http';
import { connect, type AddressInfo } from 'node:net';

type ProxyOptions = {
  /** Names that only the proxy knows: `registry.test:443` -> `127.0.0.1:5000`. */
  hosts?: Readonly<Record<string, string>>;
  /** `user:password` that it wants. */
  login?: string;
  /** A status that it gives instead, if any. */
  refuse?: (request: IncomingMessage) => number | undefined;
};

export type TestProxy = AsyncDisposable & {
  /** 127.0.0.1:PORT */
  readonly address: string;
  /** `CONNECT registry.test:443`, `HEAD http://…` of what it let through. */
  readonly passed: string[];
  readonly refused: string[];
  /** Bytes that went towards a registry. */
  bytes(): number;
};

/** A proxy as companies have them: CONNECT for https, whole addresses for http. */
export async function startProxy({ hosts = {}, login, refuse }: ProxyOptions = {}): Promise<TestProxy> {
  const passed: string[] = [];
  const refused: string[] = [];
  let bytes = 0;
  const count = (chunk: Buffer): void => void (bytes += chunk.length);
  const wanted = login === undefined ? undefined : `Basic ${Buffer.from(login).toString('base64')}`;
  const statusOf = (request: IncomingMessage): number | undefined => {
    const status = wanted !== undefined && request.headers['proxy-authorization'] !== wanted ? 407 : refuse?.(request);
    (status === undefined ? passed : refused).push(`${request.method} ${request.url}`);
    return status;
  };
  const placeOf = (target: string): [port: number, host: string] => {
    const [host = '', port = '80'] = (hosts[target] ?? target).split(':');
    return [Number(port), host];
  };
  const server = createServer((request, response) => {
    const status = statusOf(request);
    if (status !== undefined) {
      response.writeHead(status, { 'proxy-authenticate': 'Basic realm="x"' }).end();
      return;
    }
    const url = new URL(request.url ?? '');
    const [port, host] = placeOf(url.host);
    const { 'proxy-authorization': _, ...headers } = request.headers;
    const onward = httpRequest({ host, port, method: request.method, path: url.pathname + url.search, headers }, (reply) => {
      response.writeHead(reply.statusCode ?? 502, reply.headers);
      reply.pipe(response);
    });
    onward.on('error', () => response.destroy());
    request.on('data', count).pipe(onward);
  });
  server.on('connect', (request, client) => {
    client.on('error', () => {});
    const status = statusOf(request);
    if (status !== undefined) {
      client.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-length: 0\r\n\r\n`);
      return;
    }
    const registry = connect(...placeOf(request.url ?? ''), () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      client.on('data', count).pipe(registry).pipe(client);
    });
    registry.on('error', () => client.destroy());
    client.on('close', () => registry.destroy());
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    passed,
    refused,
    bytes: () => bytes,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
