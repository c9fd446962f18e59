import type { BundleManifest } from '../../bundle/manifest.ts';
import { isAirdockError } from '../../errors.ts';
import type { ContainerInfo } from '../../io/container.ts';
import type { EnvFile } from '../env-file.ts';
import type { Host } from '../host.ts';
import type { Finding } from '../plan-document.ts';
import { checkSwap } from './swap.ts';

export type DatabaseFacts = { service: string; name: string; server: string; bytes: number };

/** The credentials of `.env` and where they lead. */
export type DatabaseAccess = { service: string; user: string; password: string; name: string };

export function databaseAccess(manifest: BundleManifest, env: EnvFile): DatabaseAccess | undefined {
  const declared = manifest.database;
  if (declared === 'none' || declared.service === undefined) return undefined;
  const value = (key: string) => env.expanded(key) ?? '';
  return {
    service: declared.service,
    user: value(declared.userKey),
    password: value(declared.passwordKey),
    name: value(declared.nameKey),
  };
}

/** An address of the running container, which a login over TCP proves the password with: `exec` uses local trust (FACTS 4). */
export function databaseAddress(containers: readonly ContainerInfo[], service: string): string | undefined {
  const container = containers.find((one) => one.service === service && !one.oneOff && one.state === 'running');
  return container && Object.values(container.addresses)[0];
}

export async function checkDatabase(
  host: Host,
  manifest: BundleManifest,
  env: EnvFile,
  containers: readonly ContainerInfo[],
  swaps: boolean,
): Promise<{ database: DatabaseFacts | null; findings: Finding[] }> {
  const nothing = (finding?: Finding) => ({ database: null, findings: finding ? [finding] : [] });
  const declared = manifest.database;
  if (declared === 'none') return nothing();
  if (declared.urlKey !== undefined && (env.expanded(declared.urlKey) ?? '') !== '')
    return nothing({
      code: 'DATABASE_ELSEWHERE',
      text: `${declared.urlKey} in .env names an external database, which this airdock cannot back up yet`,
      fix: 'Use a version of airdock that supports external databases.',
    });
  const access = databaseAccess(manifest, env);
  if (!access) return nothing();
  const address = databaseAddress(containers, access.service);
  if (address === undefined)
    return nothing({
      code: 'DATABASE_UNREACHABLE',
      text: `the database service ${access.service} is not running`,
      fix: `Start it: docker compose up -d ${access.service}`,
    });
  try {
    const session = await host.connect({
      host: address,
      port: 5432,
      user: access.user,
      password: access.password,
      database: access.name,
      applicationName: 'airdock',
    });
    try {
      const [row] = await session.query<{ version: string; bytes: string }>(
        `SELECT current_setting('server_version') AS version, pg_database_size(current_database())::text AS bytes`,
      );
      const server = row?.version ?? '';
      const database = {
        service: access.service,
        name: access.name,
        server: `PostgreSQL ${server}`,
        bytes: Number(row?.bytes ?? 0),
      };
      const wanted = manifest.requires.postgres;
      const standing = swaps ? await checkSwap(session) : [];
      if (wanted === undefined || server.split('.')[0] === String(wanted)) return { database, findings: standing };
      return {
        database,
        findings: [
          ...standing,
          {
            code: 'POSTGRES_MAJOR',
            text: `the database runs PostgreSQL ${server}, the release is made for ${wanted}`,
            fix: 'A change of the major version is a move of its own: follow the vendor, dump and restore.',
          },
        ],
      };
    } finally {
      await session.close();
    }
  } catch (error) {
    if (!isAirdockError(error)) throw error;
    return nothing({ code: error.code, text: error.message, fix: error.hint ?? '' });
  }
}
