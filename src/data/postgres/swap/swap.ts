import { AirdockError } from '../../../errors.ts';
import { databases, databaseNamed, swapDatabases, type DatabaseId, type PostgresServer } from './admin.ts';

/**
 * Putting another database in place of the live one, and the reverse (docs/adr/0008-irreversible.md). The old database is the one
 * that was live when the transaction began. Both are identified by OID, which no rename changes. `server.database` is the live name.
 */
export type Swap = {
  /** The old database. */
  live: DatabaseId;
  /** The database that gets the live name. */
  next: DatabaseId;
  /** The name that the old database gets. */
  aside: string;
};

/** Which of two databases has the live name. `other`: neither of the two has it. */
export type LiveNameHolder = 'old' | 'new' | 'other';

/**
 * The swap as it is recorded before `swapDatabases` renames anything.
 * @param began the database that was live when the transaction began
 * @param next name of the database that gets the live name
 * @throws STEP_FAILED when another database has the live name by now, or there is no database `next`
 */
export async function planSwap(
  server: PostgresServer,
  { began, next, aside }: { began: DatabaseId | null | undefined; next: string; aside: string },
): Promise<Swap> {
  const all = await databases(server);
  const live = databaseNamed(all, server.database);
  if (began?.oid !== live.oid)
    throw new AirdockError(
      'STEP_FAILED',
      `${live.name} is another database than when the transaction began: somebody renamed it`,
      {
        hint: 'Nothing was swapped. Look at psql -l before you try again.',
      },
    );
  return { live, next: databaseNamed(all, next), aside };
}

/** Which database has the live name. */
export async function liveNameHolder(server: PostgresServer, swap: Pick<Swap, 'live' | 'next'>): Promise<LiveNameHolder> {
  return underLiveName(await databases(server), server.database, swap.live, swap.next);
}

/**
 * Gives the live name back to the old database, if the swap had happened; the caller opens the database. May be repeated.
 * @param swap undefined when no swap was recorded
 * @throws UNDO_FAILED when an unknown database has the live name, or the old one does not have the name that the swap gave it;
 *   nothing is renamed then
 */
export async function swapBack(
  server: PostgresServer,
  old: DatabaseId,
  swap: Pick<Swap, 'next' | 'aside'> | undefined,
): Promise<void> {
  const name = server.database;
  const all = await databases(server);
  const holder = underLiveName(all, name, old, swap?.next);
  if (holder === 'old') return;
  if (holder === 'other' || !swap)
    throw notTheOldDatabase(
      all.find((database) => database.name === name),
      name,
      old,
      swap?.next,
    );
  const { next, aside } = swap;
  const kept = all.find(({ oid }) => oid === old.oid);
  if (kept?.name !== aside)
    throw notRenamed(
      `the old database (OID ${old.oid}) ${kept ? `is called ${kept.name}, not ${aside}` : 'was dropped'}`,
      kept
        ? `Rename it back to ${aside}, then resume.`
        : 'Restore a backup of it by hand, as in the operator’s book, section 10.',
    );
  await swapDatabases(server, { live: { name, oid: next.oid }, next: { name: aside, oid: old.oid }, aside: next.name });
}

function underLiveName(all: readonly DatabaseId[], name: string, old: DatabaseId, next: DatabaseId | undefined): LiveNameHolder {
  const oid = all.find((database) => database.name === name)?.oid;
  if (oid === undefined) return 'other';
  return oid === old.oid ? 'old' : oid === next?.oid ? 'new' : 'other';
}

function notTheOldDatabase(
  holder: DatabaseId | undefined,
  name: string,
  old: DatabaseId,
  next: DatabaseId | undefined,
): AirdockError {
  const known = next
    ? `neither the old one (OID ${old.oid}) nor the new one (OID ${next.oid})`
    : `not the old one (OID ${old.oid})`;
  return notRenamed(
    holder ? `the database named ${name} (OID ${holder.oid}) is ${known}` : `no database is named ${name}: ${known} is`,
    `Look at SELECT oid, datname FROM pg_database, rename the old database back to ${name}, then resume.`,
  );
}

function notRenamed(text: string, hint: string): AirdockError {
  return new AirdockError('UNDO_FAILED', text, { hint: `Nothing was renamed. ${hint}` });
}
