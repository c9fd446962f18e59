import type { ImageName } from './reference.ts';
import { isLoopback } from './transport.ts';

/** Where the images of a registry are really read from. */

export type EndpointOptions = {
  /** Registry host -> where it is really read from: `ghcr.io` -> `http://127.0.0.1:5000`. */
  mirrors?: ReadonlyMap<string, URL>;
  /** Hosts spoken to without TLS. Loopback addresses are, too, unless they are among `secure`. */
  insecure?: ReadonlySet<string>;
  secure?: ReadonlySet<string>;
};

type Endpoint = { base: URL; credentialHost: string };

export function endpointOf(name: ImageName, options: EndpointOptions): Endpoint {
  const mirror = options.mirrors?.get(name.registry);
  if (mirror) return { base: mirror, credentialHost: mirror.host };
  if (name.registry === 'docker.io') return { base: new URL('https://registry-1.docker.io'), credentialHost: 'docker.io' };
  const here = isLoopback(name.registry.replace(/:\d+$/, '')) && !options.secure?.has(name.registry);
  const plain = here || options.insecure?.has(name.registry);
  return { base: new URL(`${plain ? 'http' : 'https'}://${name.registry}`), credentialHost: name.registry };
}

/** A mirror may keep the repositories under a path of its own. */
export function repositoryPath(base: URL, name: ImageName): string {
  const prefix = base.pathname.replaceAll(/^\/+|\/+$/g, '');
  return prefix === '' ? name.repository : `${prefix}/${name.repository}`;
}
