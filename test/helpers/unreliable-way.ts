import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect, createServer as createTcpServer, type AddressInfo } from 'node:net';

/** Between a client and a real registry: what a network and a registry's front do, and the registry itself cannot be told to. */
export type Way = { readonly address: string; [Symbol.asyncDispose](): Promise<void> };

const listening = async (server: ReturnType<typeof createTcpServer>): Promise<string> => {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
};

/** Cuts connections: each entry of `after` is how many bytes of the client may pass until the next cut, over all connections. */
export async function cuttingWay(to: string, after: readonly number[]): Promise<Way & { cuts(): number }> {
  const [host = '', port = ''] = to.split(':');
  let cuts = 0;
  let passed = 0;
  const server = createTcpServer((client) => {
    const registry = connect(Number(port), host);
    const end = (): void => {
      client.destroy();
      registry.destroy();
    };
    client.on('error', end).on('close', end);
    registry.on('error', end).on('close', end);
    registry.pipe(client);
    client.on('data', (chunk: Buffer) => {
      const left = (after[cuts] ?? Infinity) - passed;
      passed += chunk.length;
      if (chunk.length < left) {
        registry.write(chunk);
        return;
      }
      cuts += 1;
      passed = 0;
      // what came before the cut does arrive
      registry.end(chunk.subarray(0, left), () => client.destroy());
    });
  });
  const address = await listening(server);
  return { address, cuts: () => cuts, [Symbol.asyncDispose]: async () => void server.close() };
}

/** Answers some requests itself; `answered` is how many. The others go to the registry as they are. */
export async function answeringWay(
  to: string,
  answer: (request: IncomingMessage, response: ServerResponse) => boolean,
): Promise<Way & { answered(): number }> {
  const [host = '', port = ''] = to.split(':');
  let answered = 0;
  const server = createServer((request, response) => {
    if (answer(request, response)) {
      answered += 1;
      request.resume();
      return;
    }
    const { method = '', url = '', headers } = request;
    const onward = httpRequest({ host, port, method, path: url, headers: { ...headers, host: address } }, (reply) => {
      response.writeHead(reply.statusCode ?? 502, reply.headers);
      reply.pipe(response);
    });
    onward.on('error', () => response.destroy());
    request.pipe(onward);
  });
  const address = await listening(server);
  return {
    address,
    answered: () => answered,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
