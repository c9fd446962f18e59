import type { Rows } from './row-hashes.ts';

/** Numbers of rows: only in the newer database; in both with other values; only in the older database. */
export type Counts = { gained: number; changed: number; lost: number };

/** Both must be sorted. Two keys with the same hash may be confused: with 100 million rows that happens in one of 4,000 databases. */
export async function differenceOf(older: Rows, newer: Rows): Promise<Counts> {
  const [a, b] = [new Cursor(older), new Cursor(newer)];
  const counts = { gained: 0, changed: 0, lost: 0 };
  for (;;) {
    if (a.wantsMore) await a.refill();
    if (b.wantsMore) await b.refill();
    if (a.empty && b.empty) return counts;
    if (b.empty || (!a.empty && a.key < b.key)) {
      counts.lost += 1;
      a.next();
    } else if (a.empty || b.key < a.key) {
      counts.gained += 1;
      b.next();
    } else {
      if (a.row !== b.row) counts.changed += 1;
      a.next();
      b.next();
    }
  }
}

class Cursor {
  readonly #batches: AsyncIterator<BigInt64Array>;
  #batch: BigInt64Array = new BigInt64Array();
  #at = 0;
  #ended = false;

  constructor(rows: Rows) {
    this.#batches = rows[Symbol.asyncIterator]();
  }
  /** After `refill`: at the end. */
  get empty(): boolean {
    return this.#at >= this.#batch.length;
  }
  get wantsMore(): boolean {
    return this.empty && !this.#ended;
  }
  get key(): bigint {
    return this.#batch[this.#at] ?? 0n;
  }
  get row(): bigint {
    return this.#batch[this.#at + 1] ?? 0n;
  }
  next(): void {
    this.#at += 2;
  }
  async refill(): Promise<void> {
    while (this.empty) {
      const { value, done } = await this.#batches.next();
      this.#ended = done === true;
      if (done) return;
      [this.#batch, this.#at] = [value, 0];
    }
  }
}
