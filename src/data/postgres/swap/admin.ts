import { AirdockError } from '../../../errors.ts';
import { type DatabaseTarget, psql } from '../server/server.ts';
import { databaseSettings } from '../server/settings.ts';

/**
 * Whole databases of a cluster: fence, copy, swap, drop (docs/adr/0008-irreversible.md). Every statement runs in the
 * maintenance database, for the live one may be fenced, and carries the transaction's application_name, so that recovery
 * can end it.
 */
export type Cluster = DatabaseTarget & { applicationName: string; signal?: AbortSignal };

/** A database by the only thing that a rename does not change. */
export type DatabaseId = { name: string; oid: number };

/** `postgres` is there in every cluster that nobody trimmed; template1 in all, but CREATE DATABASE wants it idle. */
export function maintenanceOf(live: string): string {
  return live === 'postgres' ? 'template1' : 'postgres';
}

/** @throws DATABASE_UNREACHABLE */
export async function databases(cluster: Cluster): Promise<DatabaseId[]> {
  const lines = await statements(cluster, 'SELECT oid, datname FROM pg_database;', {}, 'DATABASE_UNREACHABLE');
  return lines.map((line) => {
    const at = line.indexOf('|');
    return { oid: Number(line.slice(0, at)), name: line.slice(at + 1) };
  });
}

/** `ALLOW_CONNECTIONS false` stops superusers too; `CONNECTION LIMIT 0` does not (FACTS section 4). Then nobody is in there. */
export async function fence(cluster: Cluster, name: string): Promise<void> {
  await statements(cluster, `ALTER DATABASE :"name" ALLOW_CONNECTIONS false;`, { name });
  await emptyOfSessions(cluster, name);
}

/** Ends the sessions in that database and waits until they are gone. @throws STEP_FAILED when one does not end */
async function emptyOfSessions(cluster: Cluster, name: string): Promise<void> {
  const there = `FROM pg_stat_activity WHERE datname = :'name' AND backend_type IN ('client backend', 'walsender')`;
  for (let tries = 0; tries < 100; tries++) {
    const left = await statements(cluster, `SELECT pg_terminate_backend(pid) ${there};`, { name });
    if (left.length === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const who = await statements(cluster, `SELECT usename || ' ' || application_name || ' ' || coalesce(state, '') ${there};`, {
    name,
  });
  throw new AirdockError('STEP_FAILED', `sessions in the database ${name} do not end: ${who.join(', ')}`, {
    hint: 'Look at pg_stat_activity for what holds on to it.',
  });
}

/**
 * `next` becomes a copy of `live`, with its settings, owner and rights. Nobody may be in `live`. Files are copied, not rows:
 * seconds, and hardly any WAL (FACTS section 4). Copies of a try that was cut short are dropped first.
 * @returns the copy
 */
export async function copyDatabase(cluster: Cluster, live: string, next: string): Promise<DatabaseId> {
  await dropDatabase(cluster, next);
  const settings = await databaseSettings({ ...cluster, database: maintenanceOf(live) }, live);
  const [version = '0'] = await statements(cluster, 'SHOW server_version_num;', {});
  const strategy = Number(version) >= 150_000 ? 'STRATEGY file_copy' : '';
  await statements(cluster, `CREATE DATABASE :"next" TEMPLATE :"live" ${strategy};`, { live, next });
  await statements(cluster, settings, { database: next });
  return found(await databases(cluster), next);
}

/** Half-made or not needed any more; absent is fine. */
export async function dropDatabase(cluster: Cluster, name: string): Promise<void> {
  if (!(await databases(cluster)).some((one) => one.name === name)) return;
  await fence(cluster, name);
  await statements(cluster, 'DROP DATABASE :"name";', { name });
}

/**
 * Opens it again, but only while it is that very database: a swap that came late would have put another one under the name. One
 * that is open already stays so: whoever undoes may have been killed just behind it, or before it was fenced.
 */
export async function unfence(cluster: Cluster, { name, oid }: DatabaseId): Promise<void> {
  await statements(
    cluster,
    `BEGIN;
     ${refuseUnless('name', 'oid', '')}
     ALTER DATABASE :"name" ALLOW_CONNECTIONS true;
     COMMIT;`,
    { name, oid: String(oid) },
  );
}

/**
 * In one transaction of PostgreSQL: `live` is called `aside`, `next` is called `live`. Ends who is in either of them; both
 * are fenced afterwards. Refuses unless each name has the database that the journal says: another process may have been at it.
 */
export async function swapDatabases(
  cluster: Cluster,
  { live, next, aside }: { live: DatabaseId; next: DatabaseId; aside: string },
): Promise<void> {
  await fence(cluster, live.name);
  await fence(cluster, next.name);
  await statements(
    cluster,
    `BEGIN;
     SET LOCAL synchronous_commit = on;
     ${refuseUnless('live', 'live_oid')}
     ${refuseUnless('next', 'next_oid')}
     ALTER DATABASE :"live" RENAME TO :"aside";
     ALTER DATABASE :"next" RENAME TO :"live";
     COMMIT;`,
    { live: live.name, next: next.name, aside, live_oid: String(live.oid), next_oid: String(next.oid) },
  );
}

/** Ends the transaction with a division by zero unless that name has that OID, and is fenced. */
function refuseUnless(name: string, oid: string, fenced = ' AND NOT datallowconn'): string {
  return `SELECT 1 / count(*) FROM pg_database WHERE datname = :'${name}' AND oid = :'${oid}'${fenced};`;
}

/** @throws STEP_FAILED when there is none of that name */
export function found(all: readonly DatabaseId[], name: string): DatabaseId {
  const one = all.find((database) => database.name === name);
  if (one) return one;
  throw new AirdockError('STEP_FAILED', `the server has no database ${name}`, {
    hint: 'Was it renamed or dropped by hand? psql -l lists what is there.',
  });
}

async function statements(
  cluster: Cluster,
  sql: string,
  variables: Record<string, string>,
  code: 'STEP_FAILED' | 'DATABASE_UNREACHABLE' = 'STEP_FAILED',
): Promise<string[]> {
  const options = {
    input: Buffer.from(sql),
    env: { PGAPPNAME: cluster.applicationName },
    ...(cluster.signal ? { signal: cluster.signal } : {}),
  };
  const { stdout } = await psql({ ...cluster, database: maintenanceOf(cluster.database) }, code, options, variables);
  return stdout.split('\n').filter((line) => line !== '');
}
