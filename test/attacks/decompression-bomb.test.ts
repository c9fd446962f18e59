// A layer that unpacks to a thousand times its size. Nothing here unpacks one: what is read, hashed and stored are the bytes of
// the bundle, whatever they are. (A bomb that the vendor signed reaches the engine: docs/THREATS.md.)
import { createHash } from 'node:crypto';
import { stat, readdir, writeFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { verifyBundle } from '../../src/bundle/verify.ts';
import { finish } from '../../src/digest.ts';
import { openState } from '../../src/vm/state/open-state.ts';
import type { ManagedSite } from '../../src/vm/site/site.ts';
import { attacked, authorize, carryIn, expectRefused, layerOf } from '../helpers/attack.ts';
import { makeImage, temporaryFolder, writeTestBundle } from '../helpers/bundle.ts';
import { putTogether, replace } from '../helpers/forge.ts';
import { watchMemory } from '../helpers/peak-memory.ts';

const target = attacked();
// gzip goes on behind its end with the next member, so this is made without the memory that it takes to unpack it
const mebibytes = 1024;
const piece = Buffer.alloc(2 ** 20);
const bomb = Buffer.concat(Array<Buffer>(mebibytes).fill(gzipSync(piece)));
const host = { clock: () => new Date() } as ManagedSite['host'];

test('in place of a layer: another size, another digest', () =>
  expectRefused(target, putTogether(replace(target.entries, layerOf(target), { data: bomb })), 'BUNDLE_SIZE_MISMATCH'));

test('signed: checked and stored as it is, without being unpacked', async () => {
  await using folder = await temporaryFolder();
  const path = folder.file('bomb.tar');
  const hash = createHash('sha256');
  for (let count = 0; count < mebibytes; count++) hash.update(piece);
  const layer = { bytes: bomb, diffId: finish(hash), uncompressedSize: mebibytes * piece.length };
  await writeTestBundle(path, { images: [makeImage('ghcr.io/example/shop-api:0.3.0', ['base', layer])] });
  const grown = watchMemory();
  expect(await verifyBundle(path, { authorize, full: true })).toMatchObject({ ok: true });
  const state = openState(folder.path, '1.0.0');
  await carryIn(path, folder.file('store'), { host, state });
  expect(state.releases()).toHaveLength(1);
  state.close();
  expect(grown()).toBeLessThan(64 * 2 ** 20);
  const blobs = folder.file('store/blobs/sha256');
  const sizes = await Promise.all((await readdir(blobs)).map(async (name) => (await stat(`${blobs}/${name}`)).size));
  expect(Math.max(...sizes)).toBe(bomb.length);
});

test('where small text is expected: its size is limited before it is read', async () => {
  await using folder = await temporaryFolder();
  await writeFile(folder.file('x.tar'), putTogether(replace(target.entries, 'bundle.json', { data: Buffer.alloc(2 ** 23) })));
  await expect(carryIn(folder.file('x.tar'), folder.file('store'))).rejects.toMatchObject({ code: 'BUNDLE_ENTRY_TOO_LARGE' });
});
