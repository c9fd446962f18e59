// Sizes around what eleven octal digits can say: at the level of the header, and in a signed manifest.
import { expect, test } from 'vitest';
import { decodeHeader, encodeHeader } from '../../src/bundle/tar.ts';
import { attacked, expectRefused } from '../helpers/attack.ts';
import { mtime, putTogether, remanifest } from '../helpers/forge.ts';

const target = attacked();
const limit = 8 * 2 ** 30;
const header = { name: 'README.md', mtime };

test('less one byte: the last that there is', () => {
  expect(decodeHeader(encodeHeader({ ...header, size: limit - 1 })).size).toBe(limit - 1);
});
test.each([limit, limit + 1, Number.MAX_SAFE_INTEGER])('%i is never written', (size) => {
  expect(() => encodeHeader({ ...header, size })).toThrow(expect.objectContaining({ code: 'BUNDLE_ENTRY_TOO_LARGE' }));
});
test('twelve digits, without the end of the field', () => {
  const block = encodeHeader({ ...header, size: 0 });
  block.write('100000000000', 124);
  expect(() => decodeHeader(block)).toThrow(expect.objectContaining({ code: 'BUNDLE_HEADER' }));
});

const layersOf = (size: number) =>
  putTogether(
    remanifest(target.entries, (manifest) => ({
      ...manifest,
      images: manifest.images.map((image) => ({ ...image, layers: image.layers.map((layer) => ({ ...layer, size })) })),
    })),
  );
test('a signed manifest with layers of 8 GiB', () => expectRefused(target, layersOf(limit), 'BUNDLE_ENTRY_TOO_LARGE'));
test('with layers of one byte less: they are missing here', () =>
  expectRefused(target, layersOf(limit - 1), 'BUNDLE_SIZE_MISMATCH'));
