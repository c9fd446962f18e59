import type { ImageName } from './reference.ts';
import { isLoopback } from './transport.ts';

/** The address at which a registry is reached. */

export type EndpointOptions = {
  /** Registry host -> address that is used instead: `ghcr.io` -> `http://127.0.0.1:5000`. */
  mirrors?: ReadonlyMap<string, URL>;
  /** Hosts without TLS. Loopback addresses have no TLS either, unless they are in `secure`. */
  insecure?: ReadonlySet<string>;
  secure?: ReadonlySet<string>;
};

type Endpoint = { base: URL; credentialHost: string };

export function endpointOf(name: ImageName, options: EndpointOptions): Endpoint {
  const mirror = options.mirrors?.get(name.registry);
  if (mirror) return { base: mirror, credentialHost: mirror.host };
  if (name.registry === 'docker.io') return { base: new URL('https://registry-1.docker.io'), credentialHost: 'docker.io' };
  const localPlain = isLoopback(name.registry.replace(/:\d+$/, '')) && !options.secure?.has(name.registry);
  const plain = localPlain || options.insecure?.has(name.registry);
  return { base: new URL(`${plain ? 'http' : 'https'}://${name.registry}`), credentialHost: name.registry };
}

/** The path of a repository. A mirror may keep repositories under a path prefix. */
export function repositoryPath(base: URL, name: ImageName): string {
  const prefix = base.pathname.replaceAll(/^\/+|\/+$/g, '');
  return prefix === '' ? name.repository : `${prefix}/${name.repository}`;
}
