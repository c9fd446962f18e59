// A registry for a test: Debian's docker-registry on the loopback address, by scripts/registry.
import { join } from 'node:path';
import { execa } from 'execa';

type RegistryOptions = {
  name: string;
  port?: number;
  /** Basic authentication. */
  auth?: { user: string; password: string };
  /** It takes nothing. */
  readOnly?: boolean;
  /** MiB of its disk. */
  room?: number;
  /** Nothing but TLS; paths of PEM files. */
  tls?: { certificate: string; key: string };
  /** What one of that name had is still there, and stays when it is stopped. */
  keepsData?: boolean;
  /** On the loopback of that host (see host.ts) instead of the machine's own. */
  inHost?: string;
};

type Registry = {
  /** 127.0.0.1:PORT, the front part of a reference. */
  readonly address: string;
  readonly url: string;
  /** `METHOD PATH STATUS` of every request so far. */
  requests(): Promise<string[]>;
  stop(): Promise<void>;
};

const script = join(import.meta.dirname, '../../scripts/registry');

/** A registry of that name that a broken run left behind is thrown away. */
export async function startRegistry(options: RegistryOptions): Promise<Registry> {
  const { name, port, auth, readOnly, room, tls, keepsData, inHost } = options;
  const registry = async (...args: string[]) => (await execa(script, args, { stdin: 'ignore' })).stdout;
  const down = ['down', name, ...(keepsData ? ['--keep-data'] : [])];
  await registry(...down);
  const address = await registry(
    'up',
    name,
    ...(port === undefined ? [] : ['--port', String(port)]),
    ...(auth === undefined ? [] : ['--auth', `${auth.user}:${auth.password}`]),
    ...(readOnly ? ['--read-only'] : []),
    ...(room === undefined ? [] : ['--room', String(room)]),
    ...(tls === undefined ? [] : ['--tls', tls.certificate, tls.key]),
    ...(inHost === undefined ? [] : ['--in-host', inHost]),
  );
  return {
    address,
    url: `${tls === undefined ? 'http' : 'https'}://${address}`,
    requests: async () =>
      [...(await registry('log', name)).matchAll(/"([A-Z]+ \S+) HTTP\/[\d.]+" (\d+)/g)].map((m) => `${m[1]} ${m[2]}`),
    stop: async () => void (await registry(...down)),
  };
}
