// What is no regular file: devices, directories, pipes, and types that only some readers know.
import { test } from 'vitest';
import { encodeHeader } from '../../src/bundle/tar.ts';
import { attacked, expectRefused, otherHeader } from '../helpers/attack.ts';
import { dataOf, mtime, putTogether, replace } from '../helpers/forge.ts';

const target = attacked();

test.each([
  ['a character device', '3'],
  ['a block device', '4'],
  ['a directory', '5'],
  ['a pipe', '6'],
  ['a contiguous file', '7'],
  ['an old regular file', '\0'],
  ['a type of a vendor', 'V'],
  ['a type that nobody has', 'Z'],
])('%s', (_what, type) => {
  const size = dataOf(target.entries, 'README.md').length;
  const header = otherHeader(encodeHeader({ name: 'README.md', size, mtime }), (block) => block.write(type, 156));
  return expectRefused(target, putTogether(replace(target.entries, 'README.md', { header })), 'BUNDLE_HEADER');
});

test('a device number on a regular file', () => {
  const size = dataOf(target.entries, 'README.md').length;
  const header = otherHeader(encodeHeader({ name: 'README.md', size, mtime }), (block) => block.write('000010 ', 329));
  return expectRefused(target, putTogether(replace(target.entries, 'README.md', { header })), 'BUNDLE_HEADER');
});
