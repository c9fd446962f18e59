import type { Writable } from 'node:stream';
import { AirdockError } from '../../../errors.ts';
import type { PostgresServer } from '../swap/admin.ts';
import { readOnly } from './read-only.ts';
import type { Reading } from './tables.ts';

/**
 * Rows as pairs of 64-bit hashes, of the key and of the whole row: 26 bytes each in PostgreSQL's binary COPY
 * (https://www.postgresql.org/docs/15/sql-copy.html, "Binary Format"), whose trailer says that a table is complete.
 */

/** Pairs (hash of key, hash of row), sorted by key, then by row, in batches of any size. */
export type Rows = AsyncIterable<BigInt64Array>;

/** `PGCOPY\n\377\r\n\0`, flags, length of an extension that nothing uses. */
const header = Buffer.from('5047434f50590aff0d0a000000000000000000', 'hex');
const record = 26;

/**
 * Copies all tables into one sink, each with a COPY of its own, in one snapshot. A table without a key gives the one pair (number
 * of rows, 0).
 * @throws STEP_FAILED, INTERRUPTED
 */
export async function copyRows(target: PostgresServer, tables: readonly Reading[], sink: Writable): Promise<void> {
  await readOnly(target, tables.map(copyOf), sink);
}

function copyOf({ name, columns, key }: Reading): string {
  const hash = (of: readonly string[]) => `hashtextextended(ROW(${of.join(', ')})::text COLLATE "C", 0)`;
  const rows = key
    ? `SELECT ${hash(key)}, ${hash(columns)} FROM ONLY ${name} ORDER BY 1, 2`
    : `SELECT count(*), 0::bigint FROM ONLY ${name}`;
  return `COPY (${rows}) TO STDOUT (FORMAT binary);`;
}

/** Reads what `copyRows` wrote, table by table. */
export class CopiedRows {
  readonly #chunks: AsyncIterator<Buffer>;
  #buffer = Buffer.alloc(0);

  constructor(chunks: AsyncIterable<Buffer>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** The next table; read it to its end before you ask for another. @throws STEP_FAILED when it is cut short */
  async *table(): Rows {
    await this.#fill(header.length);
    if (!this.#take(header.length).equals(header)) throw damaged();
    for (;;) {
      await this.#fill(2);
      if (this.#buffer.readInt16BE() === -1) break;
      await this.#fill(record);
      yield this.#pairs();
    }
    this.#take(2);
  }

  #pairs(): BigInt64Array {
    const pairs = new BigInt64Array(2 * Math.floor(this.#buffer.length / record));
    let count = 0;
    for (let at = 0; at + record <= this.#buffer.length && this.#buffer.readInt16BE(at) === 2; at += record) {
      pairs[count++] = this.#buffer.readBigInt64BE(at + 6);
      pairs[count++] = this.#buffer.readBigInt64BE(at + 18);
    }
    if (count === 0) throw damaged();
    this.#take((count / 2) * record);
    return pairs.subarray(0, count);
  }

  #take(bytes: number): Buffer {
    const taken = this.#buffer.subarray(0, bytes);
    this.#buffer = this.#buffer.subarray(bytes);
    return taken;
  }

  async #fill(bytes: number): Promise<void> {
    while (this.#buffer.length < bytes) {
      const { value, done } = await this.#chunks.next();
      if (done) throw damaged();
      this.#buffer = Buffer.concat([this.#buffer, value]);
    }
  }
}

function damaged(): AirdockError {
  return new AirdockError('STEP_FAILED', 'the rows of the database arrived incomplete');
}
