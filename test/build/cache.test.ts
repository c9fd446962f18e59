import { readdir, readFile, rename, truncate, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { BlobCache } from '../../src/build/cache.ts';
import { digestOf } from '../../src/digest.ts';
import { temporaryFolder } from '../helpers/bundle.ts';

const bytes = Buffer.from(Array.from({ length: 3_000_000 }, (_, index) => index % 251));
const wanted = { digest: digestOf(bytes), size: bytes.length };
const name = wanted.digest.slice(7);

function source(content: Buffer, asked: number[] = [], stopAt = Infinity) {
  return async function* (offset: number): AsyncIterable<Buffer> {
    asked.push(offset);
    for (let at = offset; at < content.length; at += 100_000) {
      if (at >= stopAt) throw new Error('dropped');
      yield content.subarray(at, Math.min(at + 100_000, content.length));
    }
  };
}

test('fetched once: by two who ask at once, and never again', async () => {
  await using folder = await temporaryFolder();
  const asked: number[] = [];
  const cache = new BlobCache(folder.path);
  await Promise.all([cache.fetch(wanted, source(bytes, asked)), cache.fetch(wanted, source(bytes, asked))]);
  const later = new BlobCache(folder.path);
  await later.fetch(wanted, source(bytes, asked));
  expect(asked).toEqual([0]);
  expect(later.statistics).toEqual({ blobs: 1, fromCache: 1, fetchedBytes: 0 });
  expect(digestOf(await readFile(folder.file(`blobs/${name}`)))).toBe(wanted.digest);
});

test('a partial download is kept and continued by the next run', async () => {
  await using folder = await temporaryFolder();
  const asked: number[] = [];
  await expect(new BlobCache(folder.path).fetch(wanted, source(bytes, asked, 1_500_000))).rejects.toThrow('dropped');
  expect(await readdir(folder.file('blobs'))).toEqual([`${name}.part`]);
  const cache = new BlobCache(folder.path);
  await cache.fetch(wanted, source(bytes, asked));
  expect(asked).toEqual([0, 1_500_000]);
  expect(cache.statistics.fetchedBytes).toBe(1_500_000);
  expect(await readdir(folder.file('blobs'))).toEqual([name]);
});

test('what a killed process left is taken over; what a living one works on is not', async () => {
  await using folder = await temporaryFolder();
  await expect(new BlobCache(folder.path).fetch(wanted, source(bytes, [], 500_000))).rejects.toThrow('dropped');
  await rename(folder.file(`blobs/${name}.part`), folder.file(`blobs/${name}.part.${2 ** 22 + 5}.abc`));
  const asked: number[] = [];
  await new BlobCache(folder.path).fetch(wanted, source(bytes, asked));
  expect(asked).toEqual([500_000]);

  await using other = await temporaryFolder();
  await expect(new BlobCache(other.path).fetch(wanted, source(bytes, [], 500_000))).rejects.toThrow('dropped');
  await rename(other.file(`blobs/${name}.part`), other.file(`blobs/${name}.part.${process.pid}.abc`));
  await new BlobCache(other.path).fetch(wanted, source(bytes, asked));
  expect(asked).toEqual([500_000, 0]);
});

test('a partial download with false bytes: once more from the beginning', async () => {
  await using folder = await temporaryFolder();
  await expect(new BlobCache(folder.path).fetch(wanted, source(bytes, [], 500_000))).rejects.toThrow('dropped');
  await writeFile(folder.file(`blobs/${name}.part`), Buffer.alloc(600_000, 7));
  const asked: number[] = [];
  await new BlobCache(folder.path).fetch(wanted, source(bytes, asked));
  expect(asked).toEqual([600_000, 0]);
});

test('false bytes are refused and not kept', async () => {
  await using folder = await temporaryFolder();
  const wrong = Buffer.alloc(bytes.length, 7);
  await expect(new BlobCache(folder.path).fetch(wanted, source(wrong), { what: 'layer x' })).rejects.toMatchObject({
    code: 'SOURCE_CORRUPT',
    message: expect.stringContaining('layer x'),
  });
  expect(await readdir(folder.file('blobs'))).toEqual([]);
});

test('a computed blob is computed once', async () => {
  await using folder = await temporaryFolder();
  let times = 0;
  const make = async function* (): AsyncIterable<Buffer> {
    times += 1;
    yield bytes;
  };
  expect(await new BlobCache(folder.path).derive('key', make)).toMatchObject(wanted);
  expect(await new BlobCache(folder.path).derive('key', make)).toMatchObject(wanted);
  expect(times).toBe(1);
  await truncate(folder.file(`blobs/${name}`), 5);
  await new BlobCache(folder.path).derive('key', make);
  expect(times).toBe(2);
});

test('a damaged blob is found and removed', async () => {
  await using folder = await temporaryFolder();
  const cache = new BlobCache(folder.path);
  await cache.fetch(wanted, source(bytes));
  expect(await cache.dropDamaged([wanted.digest])).toEqual([]);
  await writeFile(folder.file(`blobs/${name}`), Buffer.alloc(bytes.length));
  expect(await cache.dropDamaged([wanted.digest, digestOf('not there')])).toEqual([wanted.digest]);
  expect(await readdir(folder.file('blobs'))).toEqual([]);
});

test('a directory that cannot be made: --cache-dir is the way out', async () => {
  await using folder = await temporaryFolder();
  await writeFile(folder.file('file'), '');
  await expect(new BlobCache(folder.file('file')).fetch(wanted, source(bytes))).rejects.toMatchObject({
    hint: expect.stringContaining('--cache-dir'),
  });
});
