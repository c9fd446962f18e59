// A layer, or the installer, that unpacks to a thousand times its size. Nothing here unpacks a layer: what is read, hashed and
// stored are the bytes of the bundle, whatever they are. (A bomb that the vendor signed reaches the engine: docs/THREATS.md.)
import { stat, readdir, writeFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { verifyBundle } from '../../src/bundle/verify.ts';
import { attacked, authorize, carryIn, expectRefused, layerOf } from '../helpers/attack.ts';
import { makeImage, temporaryFolder, writeTestBundle } from '../helpers/bundle.ts';
import { putTogether, replace } from '../helpers/forge.ts';

const target = attacked();
const bomb = gzipSync(Buffer.alloc(2 ** 28));

test('in place of a layer: another size, another digest', async () => {
  expect(bomb.length).toBeLessThan(2 ** 19);
  await expectRefused(target, putTogether(replace(target.entries, layerOf(target), { data: bomb })), 'BUNDLE_SIZE_MISMATCH');
});

test('signed: checked and stored as it is, without being unpacked', async () => {
  await using folder = await temporaryFolder();
  const path = folder.file('bomb.tar');
  const image = makeImage('ghcr.io/example/shop-api:0.3.0', ['\0'.repeat(2 ** 26)]);
  await writeTestBundle(path, { images: [image], files: { 'bin/airdock-linux-x64.gz': bomb } });
  const peak = process.resourceUsage().maxRSS;
  expect(await verifyBundle(path, { authorize, full: true })).toMatchObject({ ok: true });
  await carryIn(path, folder.file('store'));
  expect(process.resourceUsage().maxRSS - peak).toBeLessThan(64 * 1024); // KiB
  const blobs = folder.file('store/blobs/sha256');
  const sizes = await Promise.all((await readdir(blobs)).map(async (name) => (await stat(`${blobs}/${name}`)).size));
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan((await stat(path)).size);
});

test('where small text is expected: its size is limited before it is read', async () => {
  await using folder = await temporaryFolder();
  await writeFile(folder.file('x.tar'), putTogether(replace(target.entries, 'bundle.json', { data: Buffer.alloc(2 ** 23) })));
  await expect(carryIn(folder.file('x.tar'), folder.file('store'))).rejects.toMatchObject({ code: 'BUNDLE_ENTRY_TOO_LARGE' });
});
