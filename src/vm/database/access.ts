import type { BundleManifest } from '../../bundle/manifest.ts';
import { databaseByUrl, urlWith } from '../../data/postgres/server/database-url.ts';
import type { EnvFile } from '../env/file.ts';

/** Where the database is, and how to log in: a compose service, or the server that a URL in `.env` names. */

export type DatabaseAccess = {
  /** The database's service. If the database is on another server, only its image is used, for the tools. */
  service: string;
  user: string;
  password: string;
  name: string;
  /** The URL that the application reads instead of single values, and its key in `.env`. */
  url?: { key: string; text: string };
  /** Set when the database is not a service of the deployment. */
  elsewhere?: {
    host: string;
    port: number;
    /** For libpq, besides host, port and password (postgres: "34.15. Environment Variables"). */
    environment: Record<string, string>;
    /** The service that uses the database: the tools run in its network. */
    networkOf: string;
  };
};

/**
 * @returns undefined when the release declares no database, or has no image with its tools
 * @throws AirdockError ENV_INVALID when the text is not a URL, or asks for something unsupported; the error never quotes the URL, which has a password
 */
export function databaseAccess(manifest: BundleManifest, env: EnvFile): DatabaseAccess | undefined {
  const { database, migration } = manifest;
  if (database === 'none' || database.service === undefined) return undefined;
  const { service } = database;
  const value = (key: string) => env.expanded(key) ?? '';
  const urlKey = databaseUrlKey(manifest, env);
  if (urlKey !== undefined) return accessByUrl(urlKey, value(urlKey), service, migration.service);
  return { service, user: value(database.userKey), password: value(database.passwordKey), name: value(database.nameKey) };
}

/** The key of `.env` that holds the database's URL; undefined when there is no URL. */
export function databaseUrlKey({ database }: BundleManifest, env: EnvFile): string | undefined {
  const key = database === 'none' ? undefined : database.urlKey;
  return key !== undefined && (env.expanded(key) ?? '') !== '' ? key : undefined;
}

/**
 * Environment variables that make the application use the database `name`, of the same server or of `host`. They are for one-shot
 * migrations; `.env` does not change.
 */
export function environmentOf(
  manifest: BundleManifest,
  access: DatabaseAccess,
  name: string,
  host?: string,
): Record<string, string> {
  if (access.url) return { [access.url.key]: host === undefined ? urlWith(access.url.text, name) : urlAt(host, access, name) };
  return manifest.database === 'none' ? {} : { [manifest.database.nameKey]: name };
}

/** A URL without parameters, because those are for the connection to the original server. */
function urlAt(host: string, { user, password }: DatabaseAccess, name: string): string {
  const [login, secret, database] = [user, password, name].map(encodeURIComponent);
  return `postgresql://${login}:${secret}@${host}:5432/${database}`;
}

function accessByUrl(urlKey: string, text: string, service: string, seenFrom: string): DatabaseAccess {
  const { host, port, user, password, name, environment } = databaseByUrl(urlKey, text, service);
  const access = { service, user, password, name, url: { key: urlKey, text } };
  return host === service ? access : { ...access, elsewhere: { host, port, environment, networkOf: seenFrom } };
}
