import { BlockList, isIP } from 'node:net';
import { AirdockError, isAirdockError, systemCode } from '../errors.ts';

/** HTTP proxies, from the variables that Docker, skopeo and curl read. */

export type Proxy = {
  /** The address of the proxy, with its login. */
  url: URL;
  /** `http://proxy.internal:3128 (HTTPS_PROXY)`, for messages. */
  text: string;
  variable: string;
};

type Env = Readonly<Record<string, string | undefined>>;

/**
 * The proxy of a request; undefined for a direct connection. Lowercase variables take precedence, as with curl.
 * @throws AirdockError CONFIG_INVALID
 */
export function proxyFor(target: URL, env: Env): Proxy | undefined {
  const upper = target.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY';
  const variable = [upper.toLowerCase(), upper].find((name) => env[name]);
  const value = variable === undefined ? undefined : env[variable];
  if (variable === undefined || value === undefined) return undefined;
  if (isExempt(target, env['no_proxy'] || env['NO_PROXY'] || '')) return undefined;
  const url = parse(value);
  if (url) return { url, text: `${url.origin} (${variable})`, variable };
  // the message does not quote the value, because it may hold a password
  throw new AirdockError('CONFIG_INVALID', `${variable} does not name a proxy that airdock can use`, {
    hint: `Set it to http://HOST:PORT or http://USER:PASSWORD@HOST:PORT, with %25 for a % and %40 for an @; SOCKS is not supported.`,
  });
}

function parse(value: string): URL | undefined {
  const text = value.includes('://') ? value : `http://${value}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol)) return undefined;
  return /%(?![\da-f]{2})/i.test(url.username + url.password) ? undefined : url;
}

/**
 * golang.org/x/net/http/httpproxy "NO_PROXY": host names with their subdomains, addresses, networks; each may have a
 * port. Node's own support lacks networks and subdomains.
 */
function isExempt(target: URL, list: string): boolean {
  const port = target.port || (target.protocol === 'https:' ? '443' : '80');
  const address = target.hostname.replaceAll(/^\[|\]$/g, '');
  return list
    .toLowerCase()
    .split(/[\s,]+/)
    .some((entry) => {
      if (entry === '*') return true;
      if (entry.includes('/') || isIP(entry) !== 0) return isWithin(address, entry);
      const [, name = '', only = port] = /^(?:\*?\.)?(.*?)(?::(\d+))?$/.exec(entry) ?? [];
      return name !== '' && only === port && (target.hostname === name || target.hostname.endsWith(`.${name}`));
    });
}

function isWithin(address: string, network: string): boolean {
  const [base = '', bits] = network.split('/');
  const family = isIP(base);
  const most = family === 6 ? 128 : 32;
  const prefix = bits === undefined ? most : /^\d{1,3}$/.test(bits) ? Number(bits) : Infinity;
  if (family === 0 || isIP(address) !== family || prefix > most) return false;
  const type = family === 6 ? 'ipv6' : 'ipv4';
  const block = new BlockList();
  block.addSubnet(base, prefix, type);
  return block.check(address, type);
}

/** The error when the proxy, not the registry, refused a request. */
export function proxyRefusal({ text, url, variable }: Proxy, target: URL, status: number): AirdockError {
  const login = `The proxy requires a user and a password: ${variable}=${url.protocol}//USER:PASSWORD@${url.host}.`;
  const others = `The operators of the proxy may have to allow ${target.host}.`;
  return new AirdockError('REGISTRY_UNREACHABLE', `the proxy ${text} answered ${status} to the request for ${target.host}`, {
    hint: `${status === 407 ? login : others} ${exempted(target)}`,
    details: { registry: target.host, proxy: url.origin, proxyStatus: status },
  });
}

/** Adds the proxy to the error of a request; an AirdockError when a retry is of no use. */
export function proxyFailure(error: Error, proxy: Proxy, target: URL): Error {
  if (isAirdockError(error)) return error;
  const code = systemCode(error);
  const status = 'statusCode' in error && typeof error.statusCode === 'number' ? error.statusCode : undefined;
  if (code === 'ERR_PROXY_TUNNEL' && status !== undefined && status < 500 && status !== 429)
    return proxyRefusal(proxy, target, status);
  const why = error.message === '' ? String(code) : error.message;
  // every connection goes to the proxy, so a name or port that fails is that of the proxy
  if (code === 'ECONNREFUSED' || code === 'ENOTFOUND')
    return new AirdockError('REGISTRY_UNREACHABLE', `the proxy ${proxy.text} could not be reached: ${why}`, {
      hint: `Check ${proxy.variable}. ${exempted(target)}`,
      cause: error,
      details: { registry: target.host, proxy: proxy.url.origin },
    });
  return Object.assign(
    new Error(`through the proxy ${proxy.text}: ${why}`, { cause: error }),
    code === undefined ? {} : { code },
  );
}

function exempted({ hostname }: URL): string {
  return `If ${hostname} can be reached without the proxy, set NO_PROXY=${hostname}.`;
}
