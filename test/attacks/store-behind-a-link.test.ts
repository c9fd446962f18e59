// Whoever plants a link in the deployment's directory would choose where root writes, and what it loads.
import { mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { digestOf, hexOf } from '../../src/digest.ts';
import { openStore } from '../../src/vm/store/store.ts';
import { temporaryFolder } from '../helpers/bundle.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
const bytes = Buffer.from('the bytes of a layer');
const digest = digestOf(bytes);
const airdock = () => folder.file('.airdock');
async function* stream() {
  yield bytes;
}
beforeEach(async () => {
  folder = await temporaryFolder();
  await openStore(airdock());
  await mkdir(folder.file('elsewhere'));
});
afterEach(() => folder[Symbol.asyncDispose]());

test.each(['', 'blobs', 'blobs/sha256', 'releases'])('in place of .airdock/%s', async (name) => {
  await rm(join(airdock(), name), { recursive: true });
  await symlink(folder.file('elsewhere'), join(airdock(), name));
  await expect(openStore(airdock())).rejects.toMatchObject({ code: 'DIRECTORY_UNSAFE' });
  expect(await readdir(folder.file('elsewhere'))).toEqual([]);
});

test('a file in place of a directory', async () => {
  await rm(join(airdock(), 'releases'), { recursive: true });
  await writeFile(join(airdock(), 'releases'), '');
  await expect(openStore(airdock())).rejects.toMatchObject({ exitCode: 5 });
});

test('in place of a blob: it is not there, and what is put replaces the link', async () => {
  const victim = folder.file('elsewhere/victim');
  await writeFile(victim, bytes);
  const store = await openStore(airdock());
  await symlink(victim, join(airdock(), 'blobs/sha256', hexOf(digest)));
  expect(await store.has(digest, bytes.length)).toBe(false);
  await expect(Array.fromAsync(store.openBlob(digest))).rejects.toMatchObject({ code: 'BLOB_MISSING' });
  await writeFile(victim, 'untouched');
  await store.putBlob(digest, bytes.length, stream());
  expect(await readFile(victim, 'utf8')).toBe('untouched');
  expect(await store.has(digest, bytes.length)).toBe(true);
});

test('where a blob is written first', async () => {
  const store = await openStore(airdock());
  await symlink(folder.file('elsewhere/victim'), join(airdock(), 'blobs/sha256', `${hexOf(digest)}.partial`));
  await store.putBlob(digest, bytes.length, stream());
  expect(await readdir(folder.file('elsewhere'))).toEqual([]);
});
