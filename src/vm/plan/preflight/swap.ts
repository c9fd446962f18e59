import type { BundleManifest } from '../../../bundle/manifest.ts';
import type { ComposeModel } from '../../../io/compose.ts';
import type { Session } from '../../../io/postgres.ts';
import type { Finding, FindingCode } from '../../../policy/finding.ts';

/** What would make a swap of databases fail once the old version has stopped (docs/adr/0008-irreversible.md): said before. */
type Row = {
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

/** In a session of the application's own user. */
export async function checkSwap(session: Session): Promise<Finding[]> {
  const [version] = await session.query<{ number: number }>(`SELECT current_setting('server_version_num')::int AS number`);
  // the database's own collation version is on record since PostgreSQL 15
  const collation =
    (version?.number ?? 0) >= 150_000
      ? 'd.datcollversion AS recorded, pg_database_collation_actual_version(d.oid) AS actual'
      : 'NULL::text AS recorded, NULL::text AS actual';
  const [row] = await session.query<Row>(`
    SELECT current_user AS user, d.datname AS database, r.rolcreatedb AS may_create, r.rolsuper AS superuser,
      pg_has_role(current_user, d.datdba, 'USAGE') AS owns, ${collation},
      (SELECT count(*)::int FROM pg_prepared_xacts x WHERE x.database = d.datname) AS prepared,
      (SELECT count(*)::int FROM pg_replication_slots s WHERE s.database = d.datname) AS slots
    FROM pg_database d, pg_roles r WHERE d.datname = current_database() AND r.rolname = current_user`);
  return row ? findingsOf(row) : [];
}

function findingsOf({
  user,
  database,
  may_create: mayCreate,
  superuser,
  owns,
  prepared,
  slots,
  recorded,
  actual,
}: Row): Finding[] {
  const findings: Finding[] = [];
  const add = (code: FindingCode, text: string, fix: string): void => void findings.push({ code, text, fix });
  if (!superuser && !(mayCreate && owns))
    add(
      'DATABASE_RIGHTS',
      `${user} may not ${mayCreate ? `rename ${database}, which is another role's` : 'create databases'}, and an irreversible migration works on a copy`,
      `As a superuser: ALTER ROLE "${user}" CREATEDB; ALTER DATABASE "${database}" OWNER TO "${user}";`,
    );
  if (prepared > 0)
    add(
      'DATABASE_PREPARED_TRANSACTIONS',
      `${database} has ${prepared} prepared transactions: it can neither be copied nor renamed`,
      'Look at pg_prepared_xacts, then COMMIT PREPARED or ROLLBACK PREPARED.',
    );
  if (slots > 0)
    add(
      'DATABASE_SLOTS',
      `${database} has ${slots} logical replication slots, which would stay with the database that is put aside`,
      'Drop them (pg_drop_replication_slot), and make them anew after the upgrade.',
    );
  if (recorded !== null && actual !== null && recorded !== actual)
    add(
      'COLLATION_VERSION',
      `${database} was made with collation version ${recorded}, this server has ${actual}: it cannot be copied, and its text indexes may be wrong`,
      `REINDEX DATABASE "${database}"; ALTER DATABASE "${database}" REFRESH COLLATION VERSION;`,
    );
  return findings;
}

/** Services that would be started while users are not to come in, and that compose would start a traffic service for. */
export function checkShut(model: ComposeModel, manifests: readonly BundleManifest[]): Finding[] {
  const shut = new Set(manifests.flatMap((manifest) => manifest.traffic));
  return Object.entries(model.services).flatMap(([service, { depends_on: needs = {}, ports = [] }]) => {
    if (shut.has(service)) return [];
    const opens = Object.keys(needs).filter((needed) => shut.has(needed));
    if (opens.length > 0)
      return {
        code: 'TRAFFIC_DEPENDENCY',
        text: `${service} depends on ${opens.join(', ')}, which lets users in: it could not be tried before they come`,
        fix: 'Take the dependency out of your override, or ask the vendor to declare the service under traffic.',
      };
    const published = manifests.some(({ writers }) => writers.includes(service)) && ports.length > 0;
    return published
      ? {
          code: 'TRAFFIC_PORT',
          text: `${service} writes and publishes a port itself: users could come in before the upgrade is known to be good`,
          fix: 'Take the port out of your override, or ask the vendor to declare the service under traffic.',
        }
      : [];
  });
}
