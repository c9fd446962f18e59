import { createReadStream, createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { AirdockError, isAirdockError } from '../../../errors.ts';
import { diskError, ensureDirectory, freeBytes } from '../../../io/files.ts';
import { bytesText } from '../../../units.ts';
import type { PostgresServer } from '../swap/admin.ts';
import { type Counts, differenceOf } from './merge.ts';
import { CopiedRows, copyRows, type Rows } from './row-hashes.ts';
import { type Reading, readings, tablesOf } from './tables.ts';

/** How the rows of a table differ, by primary key; without one, only by their number. `table` has its schema, quoted as in SQL. */
export type TableDifference = { table: string } & Counts;

/** The rows of a database at the time of reading, in a file, for several comparisons. */
export type Spool = {
  file: string;
  /** In the order of the file. */
  tables: Reading[];
  /** Every table that the database had. */
  known: Set<string>;
};

/**
 * Reads the rows of `older` into a new file in `folder` (made, mode 0700), 26 bytes a row; `newer` is compared with the file later.
 * @throws DISK_FULL before anything is written, if there may not be enough room; STEP_FAILED; INTERRUPTED
 */
export async function spoolRows(older: PostgresServer, newer: PostgresServer, folder: string): Promise<Spool> {
  const olderTables = await tablesOf(older);
  const tables = readings(olderTables, await tablesOf(newer));
  // a row takes more than 26 bytes of a table
  await assertDiskFree(
    folder,
    olderTables.reduce((sum, { bytes }) => sum + bytes, 0),
  );
  await ensureDirectory(folder);
  const file = join(folder, 'rows');
  const sink = createWriteStream(file, { flags: 'wx', mode: 0o600, highWaterMark: 2 ** 20 });
  try {
    await copyRows(older, tables, sink);
  } catch (error) {
    throw diskError(error, file);
  } finally {
    sink.destroy();
  }
  return { file, tables, known: new Set(olderTables.map(({ name }) => name)) };
}

async function assertDiskFree(folder: string, needed: number): Promise<void> {
  const free = await freeBytes(folder);
  if (needed <= free) return;
  throw new AirdockError('DISK_FULL', `${folder} may need ${bytesText(needed)}, ${bytesText(free)} are free`);
}

/**
 * Compares `newer` with the spool. Both are read as streams, so memory stays small.
 * @returns the tables that differ, sorted by name. A table that only `newer` has gained all of its rows; a table that only the older
 *   database had is left out
 * @throws STEP_FAILED, also when a column of the spool no longer exists; INTERRUPTED
 */
export async function compareWithSpool({ file, tables, known }: Spool, newer: PostgresServer): Promise<TableDifference[]> {
  const added = (await tablesOf(newer)).filter(({ name }) => !known.has(name)).map(({ name }) => name);
  const counted = added.map((name) => ({ name, columns: [], key: null }));
  const spooled = createReadStream(file, { highWaterMark: 2 ** 18 });
  const older = new CopiedRows(spooled);
  try {
    return await reading(newer, [...tables, ...counted], async (rows) => {
      const all: TableDifference[] = [];
      for (const { name, key } of tables) {
        const compare = key ? differenceOf : differenceOfNumbers;
        all.push({ table: name, ...(await compare(older.table(), rows.table())) });
      }
      for (const table of added) all.push({ table, gained: await numberOf(rows.table()), changed: 0, lost: 0 });
      return all.filter(({ gained, changed, lost }) => gained + changed + lost > 0).toSorted(byTable);
    });
  } finally {
    spooled.destroy();
  }
}

/** Reads rows and gives them to `work` as they arrive. If either fails, both end, and the reason is thrown. */
async function reading<T>(
  target: PostgresServer,
  tables: readonly Reading[],
  work: (rows: CopiedRows) => Promise<T>,
): Promise<T> {
  const pipe = new PassThrough({ highWaterMark: 2 ** 18 });
  const [copied, done] = await Promise.allSettled([
    copyRows(target, tables, pipe).catch((error: unknown) => {
      pipe.destroy();
      throw error;
    }),
    work(new CopiedRows(pipe)).then(
      (result) => {
        pipe.resume();
        return result;
      },
      (error: unknown) => {
        pipe.destroy();
        throw error;
      },
    ),
  ]);
  if (copied.status === 'rejected' && (done.status === 'fulfilled' || isAirdockError(copied.reason))) throw copied.reason;
  if (done.status === 'rejected') throw done.reason;
  return done.value;
}

async function differenceOfNumbers(older: Rows, newer: Rows): Promise<Counts> {
  const more = (await numberOf(newer)) - (await numberOf(older));
  return { gained: Math.max(0, more), changed: 0, lost: Math.max(0, -more) };
}

async function numberOf(rows: Rows): Promise<number> {
  let number = 0;
  for await (const [count = 0n] of rows) number += Number(count);
  return number;
}

function byTable(a: TableDifference, b: TableDifference): number {
  return a.table < b.table ? -1 : 1;
}
