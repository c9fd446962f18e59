import type { Finding, FindingCode } from '../../../policy/finding.ts';
import type { Context } from '../context.ts';
import type { SwapStanding } from '../looks/swap.ts';

/** Checks that a swap of databases cannot fail for a known reason after the old version has stopped (docs/adr/0008-irreversible.md). */
export function checkSwap({ database }: Pick<Context, 'database'>): Finding[] {
  return database?.swap ? findingsOf(database.swap) : [];
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
}: SwapStanding): Finding[] {
  const findings: Finding[] = [];
  const add = (code: FindingCode, text: string, fix: string): void => void findings.push({ code, text, fix });
  if (!superuser && !(mayCreate && owns))
    add(
      'DATABASE_RIGHTS',
      `${user} may not ${mayCreate ? `rename ${database}, which belongs to another role` : 'create databases'}, and an irreversible migration needs a copy`,
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
      `${database} has ${slots} logical replication slots, which would stay with the kept database after a swap`,
      'Drop them (pg_drop_replication_slot), and create them again after the upgrade.',
    );
  if (recorded !== null && actual !== null && recorded !== actual)
    add(
      'COLLATION_VERSION',
      `${database} was made with collation version ${recorded}, this server has ${actual}: it cannot be copied, and its text indexes may be wrong`,
      `REINDEX DATABASE "${database}"; ALTER DATABASE "${database}" REFRESH COLLATION VERSION;`,
    );
  return findings;
}
