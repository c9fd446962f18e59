import { AirdockError } from '../../../errors.ts';
import { type DatabaseTarget, psql } from '../server/server.ts';
import { databaseSettings } from '../server/settings.ts';

/**
 * Whole databases of a server: fence, copy, swap, drop (docs/adr/0008-irreversible.md). Every statement runs in the
 * maintenance database, for the live one may be fenced, and carries the transaction's application_name, so that recovery
 * can end it.
 */
export type PostgresServer = DatabaseTarget & { applicationName: string; signal?: AbortSignal | undefined };

/** A database by the only thing that a rename does not change. */
export type DatabaseId = { name: string; oid: number };

/** `postgres` is there in every server that nobody trimmed; template1 in all, but CREATE DATABASE wants it idle. */
export function maintenanceOf(live: string): string {
  return live === 'postgres' ? 'template1' : 'postgres';
}

/** @throws DATABASE_UNREACHABLE */
export async function databases(server: PostgresServer): Promise<DatabaseId[]> {
  const lines = await statements(server, 'SELECT oid, datname FROM pg_database;', {}, 'DATABASE_UNREACHABLE');
  return lines.map((line) => {
    const at = line.indexOf('|');
    return { oid: Number(line.slice(0, at)), name: line.slice(at + 1) };
  });
}

/**
 * Afterwards that database has no sessions. `ALLOW_CONNECTIONS false` stops superusers too; `CONNECTION LIMIT 0` does not
 * (docs/FACTS.md "Fences and renames").
 */
export async function fence(server: PostgresServer, name: string): Promise<void> {
  await statements(server, `ALTER DATABASE :"name" ALLOW_CONNECTIONS false;`, { name });
  await emptyOfSessions(server, name);
}

/** Ends the sessions in that database and waits until they are gone. @throws STEP_FAILED when one does not end */
async function emptyOfSessions(server: PostgresServer, name: string): Promise<void> {
  const there = `FROM pg_stat_activity WHERE datname = :'name' AND backend_type IN ('client backend', 'walsender')`;
  for (let tries = 0; tries < 100; tries++) {
    const left = await statements(server, `SELECT pg_terminate_backend(pid) ${there};`, { name });
    if (left.length === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const who = await statements(server, `SELECT usename || ' ' || application_name || ' ' || coalesce(state, '') ${there};`, {
    name,
  });
  throw new AirdockError('STEP_FAILED', `sessions in the database ${name} do not end: ${who.join(', ')}`, {
    hint: 'Look at pg_stat_activity for what holds on to it.',
  });
}

/**
 * `next` becomes a copy of `live`, with its settings, owner and rights. Nobody may be in `live`. Files are copied, not rows:
 * seconds, and hardly any WAL (docs/FACTS.md "Copies"). Copies of a try that was cut short are dropped first.
 * @returns the copy
 */
export async function copyDatabase(server: PostgresServer, live: string, next: string): Promise<DatabaseId> {
  await dropDatabase(server, next);
  const settings = await databaseSettings({ ...server, database: maintenanceOf(live) }, live);
  const [version = '0'] = await statements(server, 'SHOW server_version_num;', {});
  const strategy = Number(version) >= 150_000 ? 'STRATEGY file_copy' : '';
  await statements(server, `CREATE DATABASE :"next" TEMPLATE :"live" ${strategy};`, { live, next });
  await statements(server, settings, { database: next });
  return found(await databases(server), next);
}

/** Half-made or not needed any more; absent is fine. */
export async function dropDatabase(server: PostgresServer, name: string): Promise<void> {
  if (!(await databases(server)).some((one) => one.name === name)) return;
  await fence(server, name);
  await statements(server, 'DROP DATABASE :"name";', { name });
}

/**
 * Opens it again, but only while it is that very database: a swap that came late would have put another one under the name. One
 * that is open already stays so: whoever undoes may have been killed just behind it, or before it was fenced.
 */
export async function unfence(server: PostgresServer, { name, oid }: DatabaseId): Promise<void> {
  await statements(
    server,
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
  server: PostgresServer,
  { live, next, aside }: { live: DatabaseId; next: DatabaseId; aside: string },
): Promise<void> {
  await fence(server, live.name);
  await fence(server, next.name);
  await statements(
    server,
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

/** @throws STEP_FAILED when no database has that name */
export function found(all: readonly DatabaseId[], name: string): DatabaseId {
  const one = all.find((database) => database.name === name);
  if (one) return one;
  throw new AirdockError('STEP_FAILED', `the server has no database ${name}`, {
    hint: 'Was it renamed or dropped by hand? psql -l lists what is there.',
  });
}

async function statements(
  server: PostgresServer,
  sql: string,
  variables: Record<string, string>,
  code: 'STEP_FAILED' | 'DATABASE_UNREACHABLE' = 'STEP_FAILED',
): Promise<string[]> {
  const options = {
    input: Buffer.from(sql),
    env: { PGAPPNAME: server.applicationName },
    signal: server.signal,
  };
  const { stdout } = await psql({ ...server, database: maintenanceOf(server.database) }, code, options, variables);
  return stdout.split('\n').filter((line) => line !== '');
}
