import type { Session } from '../../../io/postgres.ts';

/** What a swap of databases depends on (docs/adr/0008-irreversible.md), read from the server. */
export type SwapStanding = {
  user: string;
  database: string;
  may_create: boolean;
  owns: boolean;
  superuser: boolean;
  prepared: number;
  slots: number;
  recorded: string | null;
  actual: string | null;
};

/** Reads it in a session of the application's user. */
export async function swapStanding(session: Session): Promise<SwapStanding | undefined> {
  const [version] = await session.query<{ number: number }>(`SELECT current_setting('server_version_num')::int AS number`);
  // PostgreSQL records a database's collation version since 15
  const collation =
    (version?.number ?? 0) >= 150_000
      ? 'd.datcollversion AS recorded, pg_database_collation_actual_version(d.oid) AS actual'
      : 'NULL::text AS recorded, NULL::text AS actual';
  const [row] = await session.query<SwapStanding>(`
    SELECT current_user AS user, d.datname AS database, r.rolcreatedb AS may_create, r.rolsuper AS superuser,
      pg_has_role(current_user, d.datdba, 'USAGE') AS owns, ${collation},
      (SELECT count(*)::int FROM pg_prepared_xacts x WHERE x.database = d.datname) AS prepared,
      (SELECT count(*)::int FROM pg_replication_slots s WHERE s.database = d.datname) AS slots
    FROM pg_database d, pg_roles r WHERE d.datname = current_database() AND r.rolname = current_user`);
  return row;
}
