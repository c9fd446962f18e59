import { AirdockError } from '../../../errors.ts';
import { databases, found, swapDatabases, type DatabaseId, type PostgresServer } from './admin.ts';

/**
 * A database takes the place of the live one, and gives it back (docs/adr/0008-irreversible.md). The old database is the one
 * that was live when the transaction began; both are known by OID, which no rename changes. `server.database` is the live name.
 */
export type Swap = {
  /** The old one. */
  live: DatabaseId;
  /** The one that comes in. */
  next: DatabaseId;
  /** The name that the old one gets. */
  aside: string;
};

/** `other`: neither of the two has the live name, or no database has it. */
export type InPlace = 'old' | 'new' | 'other';

/**
 * What is to be written down before anything is renamed: `swapDatabases` does it.
 * @param began the database that was live when the transaction began
 * @param next name of the one that comes in
 * @throws STEP_FAILED when the live name has another database since, or there is none called `next`
 */
export async function planSwap(
  server: PostgresServer,
  { began, next, aside }: { began: DatabaseId | null | undefined; next: string; aside: string },
): Promise<Swap> {
  const all = await databases(server);
  const live = found(all, server.database);
  if (began?.oid !== live.oid)
    throw new AirdockError('STEP_FAILED', `${live.name} is another database than when this began: somebody renamed it`, {
      hint: 'Nothing was swapped. Look at psql -l before you try again.',
    });
  return { live, next: found(all, next), aside };
}

/** Which database has the live name. */
export async function inPlace(server: PostgresServer, swap: Pick<Swap, 'live' | 'next'>): Promise<InPlace> {
  return underLiveName(await databases(server), server.database, swap.live, swap.next);
}

/**
 * The old database has the live name again, whichever side of the swap it is on; it is left to the caller to open it. Nothing is
 * guessed. May be repeated.
 * @param swap undefined when it had not come to a swap
 * @throws UNDO_FAILED when a database has the live name that nobody put there, or the old one is not where it was put
 */
export async function swapBack(
  server: PostgresServer,
  old: DatabaseId,
  swap: Pick<Swap, 'next' | 'aside'> | undefined,
): Promise<void> {
  const name = server.database;
  const all = await databases(server);
  const there = underLiveName(all, name, old, swap?.next);
  if (there === 'old') return;
  if (there === 'other' || !swap)
    throw neither(
      all.find((one) => one.name === name),
      name,
      old,
      swap?.next,
    );
  const { next, aside } = swap;
  const kept = all.find(({ oid }) => oid === old.oid);
  if (kept?.name !== aside)
    throw notRenamed(
      `the old database (OID ${old.oid}) ${kept ? `is called ${kept.name}, not ${aside}` : 'was dropped'}`,
      kept ? `Give it the name ${aside} back, then resume.` : 'A backup of it may be restored by hand: the operator’s book.',
    );
  await swapDatabases(server, { live: { name, oid: next.oid }, next: { name: aside, oid: old.oid }, aside: next.name });
}

function underLiveName(all: readonly DatabaseId[], name: string, old: DatabaseId, next: DatabaseId | undefined): InPlace {
  const oid = all.find((one) => one.name === name)?.oid;
  if (oid === undefined) return 'other';
  return oid === old.oid ? 'old' : oid === next?.oid ? 'new' : 'other';
}

function neither(there: DatabaseId | undefined, name: string, old: DatabaseId, next: DatabaseId | undefined): AirdockError {
  const known = next
    ? `neither the old one (OID ${old.oid}) nor the new one (OID ${next.oid})`
    : `not the old one (OID ${old.oid})`;
  return notRenamed(
    there ? `the database named ${name} (OID ${there.oid}) is ${known}` : `no database is named ${name}: ${known} is`,
    `Look at SELECT oid, datname FROM pg_database, give the old one the name ${name} back, then resume.`,
  );
}

function notRenamed(text: string, hint: string): AirdockError {
  return new AirdockError('UNDO_FAILED', text, { hint: `Nothing was renamed. ${hint}` });
}
