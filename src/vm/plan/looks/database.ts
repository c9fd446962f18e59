import type { BundleManifest } from '../../../bundle/manifest.ts';
import { querySession } from '../../../data/postgres/server/query-session.ts';
import type { ContainerInfo } from '../../../io/container.ts';
import type { Session } from '../../../io/postgres.ts';
import { databaseAccess, databaseUrlKey, type DatabaseAccess } from '../../database/access.ts';
import { databaseAddress, databaseTarget } from '../../database/target.ts';
import type { EnvFile } from '../../env/file.ts';
import { findingOf, type Finding } from '../../../policy/finding.ts';
import type { Site } from '../../site/site.ts';
import { swapStanding, type SwapStanding } from './swap.ts';

/** `service`: the database's service, or `HOST:PORT` of a database on another server. */
export type DatabaseFacts = { service: string; name: string; server: string; bytes: number };

export type DatabaseStanding = {
  database: DatabaseFacts | null;
  /** Version of the server, such as `15.8`. */
  version: string;
  elsewhere: boolean;
  /** The size that the write-ahead log may reach (`max_wal_size`). */
  walBytes: number;
  /** Undefined when no database is swapped. */
  swap: SwapStanding | undefined;
  /** Why the database could not be examined. */
  failure: Finding | undefined;
};

/** Examines the live database, with `swaps` also what a swap depends on. */
export async function lookAtDatabase(
  site: Site,
  manifest: BundleManifest,
  env: EnvFile,
  containers: readonly ContainerInfo[],
  swaps: boolean,
): Promise<DatabaseStanding> {
  const nothing = (failure?: Finding) => ({
    database: null,
    version: '',
    elsewhere: false,
    walBytes: 0,
    swap: undefined,
    failure,
  });
  try {
    const access = databaseAccess(manifest, env);
    const key = databaseUrlKey(manifest, env);
    if (!access && key !== undefined)
      return nothing({
        code: 'DATABASE_ELSEWHERE',
        text: `${key} in .env names a database on another server, and the release has no PostgreSQL image with the tools to back it up`,
        fix: 'Ask the vendor to declare database.service.',
      });
    if (!access) return nothing();
    const address = databaseAddress(containers, access.service);
    if (address === undefined && !access.elsewhere)
      return nothing({
        code: 'DATABASE_UNREACHABLE',
        text: `the database service ${access.service} is not running`,
        fix: `Start it: docker compose up -d ${access.service}`,
      });
    const session = await login(site, access, address);
    try {
      const elsewhere = access.elsewhere !== undefined;
      return { ...(await standing(session, access, swaps)), elsewhere };
    } finally {
      await session.close();
    }
  } catch (error) {
    return nothing(findingOf(error));
  }
}

/** Logs in with the credentials of `.env`, over TCP. */
async function login(site: Site, access: DatabaseAccess, address = ''): Promise<Session> {
  if (access.elsewhere) return querySession(await databaseTarget(site, access), placeOf(access));
  const { user, password, name: database } = access;
  return site.host.connect({ host: address, port: 5432, user, password, database, applicationName: 'airdock' });
}

async function standing(session: Session, access: DatabaseAccess, swaps: boolean): Promise<Omit<DatabaseStanding, 'elsewhere'>> {
  const [row] = await session.query<{ version: string; bytes: string; wal: string }>(
    `SELECT current_setting('server_version') AS version, pg_database_size(current_database())::text AS bytes,
      pg_size_bytes(current_setting('max_wal_size'))::text AS wal`,
  );
  const version = row?.version ?? '';
  const database = {
    service: placeOf(access),
    name: access.name,
    server: `PostgreSQL ${version}`,
    bytes: Number(row?.bytes ?? 0),
  };
  const swap = swaps ? await swapStanding(session) : undefined;
  return { database, version, walBytes: Number(row?.wal ?? 0), swap, failure: undefined };
}

function placeOf({ service, elsewhere }: DatabaseAccess): string {
  return elsewhere ? `${elsewhere.host}:${elsewhere.port}` : service;
}
