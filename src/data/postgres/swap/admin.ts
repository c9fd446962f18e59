import { AirdockError } from '../../../errors.ts';
import { type DatabaseTarget, psql } from '../server/server.ts';
import { databaseSettings } from '../server/settings.ts';

/**
 * Fencing, copying, swapping and dropping whole databases of a server (docs/adr/0008-irreversible.md). Every statement runs in the
 * maintenance database, because the live database may be fenced. It carries the transaction's application_name, so that recovery
 * can end it.
 */
export type PostgresServer = DatabaseTarget & { applicationName: string; signal?: AbortSignal | undefined };

/** A database and its OID, which a rename does not change. */
export type DatabaseId = { name: string; oid: number };

/** The database to connect to for work on others. Not always template1: CREATE DATABASE fails while somebody is connected to it. */
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
 * Makes a database refuse connections, and ends its sessions. `ALLOW_CONNECTIONS false` stops superusers too; `CONNECTION
 * LIMIT 0` does not (docs/FACTS.md "Fences and renames").
 */
export async function fence(server: PostgresServer, name: string): Promise<void> {
  await statements(server, `ALTER DATABASE :"name" ALLOW_CONNECTIONS false;`, { name });
  await emptyOfSessions(server, name);
}

/** Ends the sessions in that database and waits until they are gone. @throws STEP_FAILED when one does not end */
async function emptyOfSessions(server: PostgresServer, name: string): Promise<void> {
  const inThisDatabase = `FROM pg_stat_activity WHERE datname = :'name' AND backend_type IN ('client backend', 'walsender')`;
  for (let tries = 0; tries < 100; tries++) {
    const remaining = await statements(server, `SELECT pg_terminate_backend(pid) ${inThisDatabase};`, { name });
    if (remaining.length === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const sessions = await statements(
    server,
    `SELECT usename || ' ' || application_name || ' ' || coalesce(state, '') ${inThisDatabase};`,
    {
      name,
    },
  );
  throw new AirdockError('STEP_FAILED', `sessions in the database ${name} do not end: ${sessions.join(', ')}`, {
    hint: 'Look at pg_stat_activity for the sessions of this database, and end them.',
  });
}

/**
 * Makes the database `next` as a copy of `live`, with its settings, owner and rights. `live` must have no sessions. The server
 * copies files instead of rows, which takes seconds and writes hardly any WAL (docs/FACTS.md "Copies"). An earlier, interrupted
 * copy is dropped first.
 * @returns the copy
 */
export async function copyDatabase(server: PostgresServer, live: string, next: string): Promise<DatabaseId> {
  await dropDatabase(server, next);
  const settings = await databaseSettings({ ...server, database: maintenanceOf(live) }, live);
  const [version = '0'] = await statements(server, 'SHOW server_version_num;', {});
  const strategy = Number(version) >= 150_000 ? 'STRATEGY file_copy' : '';
  await statements(server, `CREATE DATABASE :"next" TEMPLATE :"live" ${strategy};`, { live, next });
  await statements(server, settings, { database: next });
  return databaseNamed(await databases(server), next);
}

/** Drops a database that is incomplete or no longer needed. Does nothing when there is none of that name. */
export async function dropDatabase(server: PostgresServer, name: string): Promise<void> {
  if (!(await databases(server)).some((database) => database.name === name)) return;
  await fence(server, name);
  await statements(server, 'DROP DATABASE :"name";', { name });
}

/**
 * Lets users connect to a database again, if its name still has the given OID: a late swap could have given the name to another
 * database. A database that is open already stays open: an undo may be repeated after a kill, or begin before the fence.
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
 * Renames two databases in one transaction of PostgreSQL: `live` to `aside`, and `next` to `live`. Ends the sessions of both; both
 * are fenced afterwards. Fails unless each name has the OID in the journal, because another process may have renamed databases.
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

/** SQL that ends the transaction with a division by zero unless the name has the OID, and is fenced. */
function refuseUnless(name: string, oid: string, fenced = ' AND NOT datallowconn'): string {
  return `SELECT 1 / count(*) FROM pg_database WHERE datname = :'${name}' AND oid = :'${oid}'${fenced};`;
}

/** @throws STEP_FAILED when no database has that name */
export function databaseNamed(all: readonly DatabaseId[], name: string): DatabaseId {
  const one = all.find((database) => database.name === name);
  if (one) return one;
  throw new AirdockError('STEP_FAILED', `the server has no database ${name}`, {
    hint: 'It may have been renamed or dropped by hand: psql -l lists the databases.',
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
