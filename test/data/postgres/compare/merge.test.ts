import { describe, expect, test } from 'vitest';
import { differenceOf } from '../../../../src/data/postgres/compare/merge.ts';
import { CopiedRows, type Rows } from '../../../../src/data/postgres/compare/row-hashes.ts';

type Pair = readonly [key: bigint | number, row: bigint | number];

/** In batches of that many pairs, an empty one before each. */
async function* rows(pairs: readonly Pair[], size = 1): Rows {
  for (let at = 0; at < pairs.length; at += size) {
    yield new BigInt64Array();
    yield new BigInt64Array(
      pairs
        .slice(at, at + size)
        .flat()
        .map(BigInt),
    );
  }
}

const [low, high] = [-(2n ** 63n), 2n ** 63n - 1n];

describe('rows that were gained, changed, lost', () => {
  test.each<[string, Pair[], Pair[], [number, number, number]]>([
    ['none', [], [], [0, 0, 0]],
    ['the same', [[1, 1]], [[1, 1]], [0, 0, 0]],
    [
      'all new',
      [],
      [
        [1, 1],
        [2, 2],
      ],
      [2, 0, 0],
    ],
    [
      'all gone',
      [
        [1, 1],
        [2, 2],
      ],
      [],
      [0, 0, 2],
    ],
    [
      'changed',
      [
        [1, 1],
        [2, 2],
      ],
      [
        [1, 1],
        [2, 3],
      ],
      [0, 1, 0],
    ],
    [
      'the last is new',
      [[1, 1]],
      [
        [1, 1],
        [2, 2],
      ],
      [1, 0, 0],
    ],
    [
      'the first is gone',
      [
        [1, 1],
        [2, 2],
      ],
      [[2, 2]],
      [0, 0, 1],
    ],
    [
      'hashes are signed',
      [
        [low, 1],
        [0, 1],
      ],
      [
        [0, 1],
        [high, 1],
      ],
      [1, 0, 1],
    ],
    [
      'interleaved',
      [
        [1, 1],
        [3, 3],
        [5, 5],
        [7, 7],
      ],
      [
        [2, 2],
        [3, 4],
        [5, 5],
        [6, 6],
        [8, 8],
      ],
      [3, 1, 2],
    ],
  ])('%s', async (_name, older, newer, [gained, changed, lost]) => {
    for (const size of [1, 2, 100]) expect(await differenceOf(rows(older, size), rows(newer))).toEqual({ gained, changed, lost });
  });

  test('a million rows on either side, batches of unequal lengths', async () => {
    async function* many(from: number, size: number): Rows {
      for (let at = from; at < 1_000_000; at += size)
        yield new BigInt64Array(2 * Math.min(size, 1_000_000 - at)).map((_, i) =>
          BigInt(i % 2 === 0 ? at + i / 2 : (at + (i - 1) / 2) % 1000 === size % 1000 ? 1 : 0),
        );
    }
    expect(await differenceOf(many(5, 997), many(0, 1009))).toEqual({ gained: 5, changed: 2000, lost: 0 });
  });

  test('a failure of either side is the failure', async () => {
    async function* broken(): Rows {
      yield new BigInt64Array([1n, 1n]);
      throw new Error('gone');
    }
    await expect(differenceOf(rows([[1, 1]]), broken())).rejects.toThrow('gone');
    await expect(differenceOf(broken(), rows([]))).rejects.toThrow('gone');
  });
});

describe('PostgreSQL’s binary COPY', () => {
  const header = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1');
  const trailer = Buffer.from([255, 255]);
  const row = (key: bigint, of: bigint) => {
    const bytes = Buffer.alloc(26);
    bytes.writeInt16BE(2, 0);
    bytes.writeInt32BE(8, 2);
    bytes.writeBigInt64BE(key, 6);
    bytes.writeInt32BE(8, 14);
    bytes.writeBigInt64BE(of, 18);
    return bytes;
  };
  const two = Buffer.concat([header, row(low, -1n), row(5n, high), trailer, header, trailer, header, row(7n, 0n), trailer]);
  async function* chunks(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  }
  const tables = async (bytes: Buffer, size: number) => {
    const copied = new CopiedRows(chunks(bytes, size));
    const found: bigint[][] = [];
    for (let table = 0; table < 3; table++) {
      found.push([]);
      for await (const batch of copied.table()) found.at(-1)?.push(...batch);
    }
    return found;
  };

  test('one table after the other, however the bytes are cut', async () => {
    for (const size of [1, 2, 7, 26, 45, 1000]) expect(await tables(two, size)).toEqual([[low, -1n, 5n, high], [], [7n, 0n]]);
  });

  test('cut short at any byte, or something else: an error, never fewer rows', async () => {
    for (let length = 0; length < two.length; length++)
      await expect(tables(two.subarray(0, length), 1000)).rejects.toMatchObject({ code: 'STEP_FAILED' });
    await expect(tables(Buffer.concat([Buffer.from('NOTICE: hello'), two]), 1000)).rejects.toMatchObject({ code: 'STEP_FAILED' });
    await expect(tables(Buffer.concat([header, Buffer.alloc(26)]), 1000)).rejects.toMatchObject({ code: 'STEP_FAILED' });
  });
});
