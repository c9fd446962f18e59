import { errorText } from '../../../errors.ts';
import { asStep, type Listener } from '../../../events.ts';
import type { DatabaseId, PostgresServer } from '../swap/admin.ts';
import { openFor } from '../swap/open-for.ts';
import { compareWithSpool, spoolRows, type Spool, type TableDifference } from './difference.ts';
import { differenceLines } from './table-differences.ts';

/**
 * Which rows a rollback leaves aside: the database that comes back is read once, while it is kept and nobody writes to it, and
 * the one that goes is compared with that, before the operator agrees and when it is kept in its turn
 * (docs/adr/0008-irreversible.md, "What is left aside"). A step that fails says so, and nothing else depends on it.
 */

/**
 * The rows that the live database has and the kept one has not; null when that could not be found out.
 * @param folder made for what is read of `kept`, 26 bytes a row; to be removed by the caller
 * @throws INTERRUPTED
 */
export async function countSince(
  listener: Listener,
  live: PostgresServer,
  kept: DatabaseId,
  folder: string,
): Promise<{ spool: Spool; rows: TableDifference[] } | null> {
  const made = await countedStep(listener, 'compare', async () => {
    const spool = await openFor(live, kept, () => spoolRows({ ...live, database: kept.name }, live, folder));
    return { spool, rows: await compareWithSpool(spool, live) };
  });
  live.signal?.throwIfAborted();
  return made;
}

/**
 * Rows of the database that was live before the swap and is fenced now, so the counts are final. Null when the rows could not be counted; never an error.
 * @param put where it was put aside, and on which server; part of the step
 * @param report writes down what was counted; part of the step, too
 */
export async function countLeft(
  listener: Listener,
  spool: Spool,
  put: () => Promise<{ server: PostgresServer; aside: DatabaseId }>,
  report: (rows: TableDifference[], aside: DatabaseId) => Promise<void> = async () => {},
): Promise<TableDifference[] | null> {
  const made = await countedStep(listener, 'left aside', async () => {
    const { server, aside } = await put();
    const rows = await openFor(server, aside, () => compareWithSpool(spool, { ...server, database: aside.name }));
    await report(rows, aside);
    return { rows };
  });
  return made?.rows ?? null;
}

/** A step that counts rows which differ, and shows them. Null when it fails. */
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
