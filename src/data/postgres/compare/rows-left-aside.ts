import { errorText } from '../../../errors.ts';
import { asStep, type Listener } from '../../../events.ts';
import type { DatabaseId, PostgresServer } from '../swap/admin.ts';
import { openFor } from '../swap/open-for.ts';
import { compareWithSpool, spoolRows, type Spool, type TableDifference } from './difference.ts';
import { differenceLines } from './table-differences.ts';

/**
 * Counts the rows that a rollback puts aside (docs/adr/0008-irreversible.md, "What is left aside"). The database that comes back
 * is read once, while nobody writes to it. The live database is compared with that twice: before the operator agrees, and after
 * the swap has put it aside. A step that fails is shown, and nothing depends on it.
 */

/**
 * Compares the live database with a kept one.
 * @param folder made for the rows of `kept`, 26 bytes each; the caller removes it
 * @returns null when the comparison failed
 * @throws INTERRUPTED
 */
export async function countSince(
  listener: Listener,
  live: PostgresServer,
  kept: DatabaseId,
  folder: string,
): Promise<{ spool: Spool; rows: TableDifference[] } | null> {
  const result = await countedStep(listener, 'compare', async () => {
    const spool = await openFor(live, kept, () => spoolRows({ ...live, database: kept.name }, live, folder));
    return { spool, rows: await compareWithSpool(spool, live) };
  });
  live.signal?.throwIfAborted();
  return result;
}

/**
 * Counts the rows of the database that was live before the swap. The database is fenced now, so the counts are final.
 * @param put finds the database that was put aside, as a part of the step
 * @param report saves the counts, as a part of the step
 * @returns null when the rows could not be counted; it never throws
 */
export async function countLeft(
  listener: Listener,
  spool: Spool,
  put: () => Promise<{ server: PostgresServer; aside: DatabaseId }>,
  report: (rows: TableDifference[], aside: DatabaseId) => Promise<void> = async () => {},
): Promise<TableDifference[] | null> {
  const counts = await countedStep(listener, 'left aside', async () => {
    const { server, aside } = await put();
    const rows = await openFor(server, aside, () => compareWithSpool(spool, { ...server, database: aside.name }));
    await report(rows, aside);
    return { rows };
  });
  return counts?.rows ?? null;
}

/** Runs a step that counts differing rows, and shows them. Null when it fails. */
function countedStep<T extends { rows: TableDifference[] }>(
  listener: Listener,
  step: string,
  work: () => Promise<T>,
): Promise<T | null> {
  const shown = async () => {
    const made = await work();
    return { ...made, summary: differenceLines(made.rows).join('\n') };
  };
  const failureText = (error: unknown) => `the rows that differ could not be counted: ${errorText(error)}`;
  return asStep(listener, step, shown, failureText).catch(() => null);
}
