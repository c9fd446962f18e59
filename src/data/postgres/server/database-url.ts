import { AirdockError } from '../../../errors.ts';

/** A database that a URL names, as an application takes it (postgres: "34.1.1.2. Connection URIs"). */
export type NamedByUrl = {
  host: string;
  port: number;
  user: string;
  password: string;
  name: string;
  /** For libpq, besides host, port and password (postgres: "34.15. Environment Variables"). */
  environment: Record<string, string>;
};

/** The URL of another database of the same server. */
export function urlWith(text: string, name: string): string {
  const url = new URL(text);
  url.pathname = `/${encodeURIComponent(name)}`;
  return url.href;
}

/**
 * @param urlKey the variable that holds the URL, for messages; the URL has a password, so no message quotes it
 * @param bundledHost the host of the bundled database, for which the URL's parameters do not matter
 * @throws AirdockError ENV_INVALID when the text is not a URL of PostgreSQL, or asks for something unsupported
 */
export function databaseByUrl(urlKey: string, text: string, bundledHost?: string): NamedByUrl {
  const url = URL.parse(text);
  if (!url || !/^postgres(ql)?:$/.test(url.protocol) || url.hostname === '')
    throw invalid(urlKey, 'is not a URL like postgresql://USER:PASSWORD@HOST:5432/NAME');
  const [user, password, name] = [url.username, url.password, url.pathname.slice(1)].map((part) => decoded(urlKey, part));
  if (!user || !name) throw invalid(urlKey, `names no ${user ? 'database' : 'user'}`);
  const host = decoded(urlKey, url.hostname).replace(/^\[(.*)\]$/, '$1');
  const named = { host, port: Number(url.port || 5432), user, password: password ?? '', name };
  if (host === bundledHost) return { ...named, environment: {} };
  if (host.includes(',')) throw invalid(urlKey, 'names several hosts; airdock supports one');
  const environment: Record<string, string> = {};
  for (const [key, value] of url.searchParams) {
    const variable = variables[key];
    if (variable === undefined) throw invalid(urlKey, `has the parameter ${key}, which airdock does not support`);
    if (variable !== null) environment[variable] = value;
  }
  return { ...named, environment };
}

/**
 * libpq's environment variable for each supported parameter; null: the parameter matters to the application only. Parameters
 * that name files of the application's container are missing, so they are refused.
 */
const variables: Record<string, string | null> = {
  sslmode: 'PGSSLMODE',
  sslnegotiation: 'PGSSLNEGOTIATION',
  channel_binding: 'PGCHANNELBINDING',
  gssencmode: 'PGGSSENCMODE',
  connect_timeout: 'PGCONNECT_TIMEOUT',
  target_session_attrs: 'PGTARGETSESSIONATTRS',
  application_name: null,
  options: null,
};

function decoded(key: string, text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw invalid(key, 'has a % that does not begin %XX', cause);
  }
}

function invalid(key: string, what: string, cause?: unknown): AirdockError {
  return new AirdockError('ENV_INVALID', `${key} in .env ${what}`, {
    hint: 'Write special characters of user and password as %XX. Supported parameters are sslmode, sslnegotiation, channel_binding, gssencmode, connect_timeout and target_session_attrs.',
    cause,
  });
}
