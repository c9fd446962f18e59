import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { digestOf, hexOf } from '../../../src/digest.ts';
import { openStore, type Store } from '../../../src/vm/store/store.ts';

let directory: string;
let store: Store;
const bytes = Buffer.from('the bytes of a layer');
const digest = digestOf(bytes);
const blobs = () => readdir(join(directory, '.airdock/blobs/sha256'));
const path = () => join(directory, '.airdock/blobs/sha256', hexOf(digest));
async function* pieces(...all: Buffer[]) {
  yield* all;
}
async function read(stream: AsyncIterable<Buffer>) {
  const all: Buffer[] = [];
  for await (const piece of stream) all.push(piece);
  return Buffer.concat(all);
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'airdock-store-'));
  store = await openStore(join(directory, '.airdock'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

describe('blobs', () => {
  test('are written once, under their digest, for nobody else', async () => {
    await store.putBlob(digest, bytes.length, pieces(bytes.subarray(0, 5), bytes.subarray(5)));
    expect(await blobs()).toEqual([hexOf(digest)]);
    expect((await stat(path())).mode & 0o777).toBe(0o600);
    expect((await stat(join(directory, '.airdock/blobs'))).mode & 0o777).toBe(0o700);
    expect(await read(store.openBlob(digest))).toEqual(bytes);
    expect(await store.has(digest, bytes.length)).toBe(true);
    expect(await store.has(digest, 1)).toBe(false);
  });

  test.each([
    ['other bytes', [Buffer.from('the bytes of a lawyer'.slice(0, 20))], 'BUNDLE_DIGEST_MISMATCH'],
    ['too few', [bytes.subarray(1)], 'BUNDLE_SIZE_MISMATCH'],
    ['too many', [bytes, Buffer.from('!')], 'BUNDLE_SIZE_MISMATCH'],
  ])('%s are refused and leave nothing', async (_name, content, code) => {
    await expect(store.putBlob(digest, bytes.length, pieces(...content))).rejects.toMatchObject({ code });
    expect(await blobs()).toEqual([]);
  });

  test('files of a killed import are removed by the next put', async () => {
    await writeFile(join(directory, '.airdock/blobs/sha256', `${'a'.repeat(64)}.partial`), 'half');
    await store.putBlob(digest, bytes.length, pieces(bytes));
    expect(await blobs()).toEqual([hexOf(digest)]);
  });

  test('a damaged one is named at the end of its stream; one that was cut is missing', async () => {
    await store.putBlob(digest, bytes.length, pieces(bytes));
    await writeFile(path(), 'the bytes of a later');
    await expect(read(store.openBlob(digest))).rejects.toMatchObject({
      code: 'STORE_CORRUPT',
      message: expect.stringContaining(digest) as string,
    });
    await truncate(path(), 3);
    expect(
      await store.missing([
        { digest, size: bytes.length },
        { digest, size: bytes.length },
      ]),
    ).toHaveLength(1);
  });

  test('a missing blob is an error', async () => {
    await expect(read(store.openBlob(digest))).rejects.toMatchObject({ code: 'BLOB_MISSING' });
  });

  test('pruning keeps the given blobs, and returns the bytes that it freed', async () => {
    const other = Buffer.from('other');
    await store.putBlob(digest, bytes.length, pieces(bytes));
    await store.putBlob(digestOf(other), other.length, pieces(other));
    expect(await store.pruneBlobs([digest])).toBe(other.length);
    expect(await blobs()).toEqual([hexOf(digest)]);
  });

  // root, a small tmpfs: the only honest full disk
  test.runIf(process.getuid?.() === 0)('a full disk is DISK_FULL with the need, and leaves nothing', async () => {
    const disk = join(directory, 'disk');
    await mkdir(disk);
    await execa`mount -t tmpfs -o size=256k none ${disk}`;
    try {
      const full = await openStore(join(disk, '.airdock'));
      const big = Buffer.alloc(400_000, 7);
      await expect(full.putBlob(digestOf(big), big.length, pieces(big))).rejects.toMatchObject({
        code: 'DISK_FULL',
        message: expect.stringMatching(
          /disk\/\.airdock\/blobs\/sha256: 400000 bytes are needed for a blob, \d+ are free/,
        ) as string,
      });
      expect(await readdir(join(disk, '.airdock/blobs/sha256'))).toEqual([]);
    } finally {
      await execa`umount ${disk}`;
    }
  });
});

describe('releases', () => {
  const files = new Map([
    ['compose.yaml', Buffer.from('services: {}\n')],
    ['chart/../../../../etc/passwd', Buffer.from('root')],
  ]);

  test('come back as they were put, whatever their files are called', async () => {
    await store.putRelease('0.3.0', files);
    expect(await store.readRelease('0.3.0')).toEqual(files);
    expect(await store.releases()).toEqual(['0.3.0']);
    const names = await readdir(join(directory, '.airdock/releases/0.3.0'));
    expect(names.every((name) => /^([0-9a-f]{64}|index\.json)$/.test(name))).toBe(true);
  });

  test('are replaced whole', async () => {
    await store.putRelease('0.3.0', files);
    const next = new Map([['compose.yaml', Buffer.from('services: { a: {} }\n')]]);
    await store.putRelease('0.3.0', next);
    expect(await store.readRelease('0.3.0')).toEqual(next);
    expect(await readdir(join(directory, '.airdock/releases/0.3.0'))).toHaveLength(2);
  });

  test('with a file that was changed are corrupt; without an index they are not there', async () => {
    await store.putRelease('0.3.0', files);
    const folder = join(directory, '.airdock/releases/0.3.0');
    const name = hexOf(digestOf(files.get('compose.yaml') ?? ''));
    await writeFile(join(folder, name), 'services: { evil: {} }\n');
    await expect(store.readRelease('0.3.0')).rejects.toMatchObject({ code: 'STORE_CORRUPT' });
    await rm(join(folder, 'index.json'));
    await expect(store.readRelease('0.3.0')).rejects.toMatchObject({ code: 'BLOB_MISSING' });
    expect(await store.releases()).toEqual([]);
    await store.removeRelease('0.3.0');
    await expect(readFile(folder)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test.each(['../x', '..', '.', '', 'a/b'])('%j is no version', async (version) => {
    await expect(store.putRelease(version, files)).rejects.toMatchObject({ code: 'INTERNAL' });
  });
});

test('opening twice changes nothing', async () => {
  await store.putRelease('0.3.0', new Map());
  await chmod(join(directory, '.airdock'), 0o700);
  expect(await (await openStore(join(directory, '.airdock'))).releases()).toEqual(['0.3.0']);
});
