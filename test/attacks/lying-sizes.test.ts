// A header that says another size than what is there, or than what was signed.
import { test } from 'vitest';
import { encodeHeader } from '../../src/bundle/tar.ts';
import { attacked, expectRefused, layerOf } from '../helpers/attack.ts';
import { mtime, putTogether, replace } from '../helpers/forge.ts';

const target = attacked();
const says = (name: string, size: number) => ({ header: encodeHeader({ name, size, mtime }) });

test('larger, into its padding and the next header', () =>
  expectRefused(target, putTogether(replace(target.entries, 'README.md', says('README.md', 600))), 'BUNDLE_PADDING'));
test('larger, and it is', () =>
  expectRefused(target, putTogether(replace(target.entries, 'README.md', { data: Buffer.alloc(600) })), 'BUNDLE_SIZE_MISMATCH'));
test('smaller, and it is', () =>
  expectRefused(
    target,
    putTogether(replace(target.entries, layerOf(target), { data: Buffer.alloc(1) })),
    'BUNDLE_SIZE_MISMATCH',
  ));
test('smaller, the rest of it in the padding', () =>
  expectRefused(target, putTogether(replace(target.entries, 'compose.yaml', says('compose.yaml', 1))), 'BUNDLE_PADDING'));
test('nothing at all', () =>
  expectRefused(target, putTogether(replace(target.entries, 'README.md', { data: Buffer.alloc(0) })), 'BUNDLE_SIZE_MISMATCH'));
test('more than the file has', () =>
  expectRefused(
    target,
    putTogether(replace(target.entries, layerOf(target), says(layerOf(target), 7 * 2 ** 30))),
    'BUNDLE_TRUNCATED',
  ));
test.each([
  ['SHA256SUMS', 2 ** 20 + 1],
  ['SHA256SUMS.sig', 513],
  ['bundle.json', 4 * 2 ** 20 + 1],
])('%s of %i bytes: refused before a byte of it is read', (name, size) =>
  expectRefused(target, putTogether(replace(target.entries, name, says(name, size))), 'BUNDLE_ENTRY_TOO_LARGE'),
);
