// The file on the stick is another one when it is used than when it was checked.
import { appendFile, open, rename, rm, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { openBundle } from '../../src/bundle/reader.ts';
import { attacked, authorize, layerOf } from '../helpers/attack.ts';
import { dataOf } from '../helpers/forge.ts';

const target = attacked();
const opened = async () => {
  const path = target.folder.file('stick.tar');
  await writeFile(path, target.bytes);
  return { path, bundle: await openBundle(path, { authorize }) };
};
const last = async (bundle: Awaited<ReturnType<typeof opened>>['bundle']) => {
  const blobs = await Array.fromAsync(bundle.blobs());
  return Buffer.concat(await Array.fromAsync(blobs.at(-1)!.read()));
};

test('another file under its name: what was opened is read', async () => {
  const { path, bundle } = await opened();
  await writeFile(`${path}.new`, Buffer.alloc(target.bytes.length, 1));
  await rename(`${path}.new`, path);
  expect((await last(bundle)).equals(dataOf(target.entries, layerOf(target)))).toBe(true);
  await bundle.close();
});
test('gone: the same', async () => {
  const { path, bundle } = await opened();
  await rm(path);
  expect((await last(bundle)).equals(dataOf(target.entries, layerOf(target)))).toBe(true);
  await bundle.close();
});
test('a layer written over: its digest tells', async () => {
  const { path, bundle } = await opened();
  const [blob] = (await Array.fromAsync(bundle.blobs())).slice(-1);
  const handle = await open(path, 'r+');
  await handle.write(Buffer.from('x'), 0, 1, target.bytes.length - 1024 - 512);
  await handle.close();
  await expect(Array.fromAsync(blob!.read())).rejects.toMatchObject({ code: 'BUNDLE_DIGEST_MISMATCH' });
  await bundle.close();
});
test('still being copied', async () => {
  const { path, bundle } = await opened();
  await appendFile(path, 'x');
  await expect(Array.fromAsync(bundle.blobs())).rejects.toMatchObject({ code: 'BUNDLE_UNREADABLE' });
  await bundle.close();
});
