// Numbers in base 256: larger ones than octal digits can say, and negative ones.
import { test } from 'vitest';
import { encodeHeader } from '../../src/bundle/tar.ts';
import { attacked, expectRefused, otherHeader } from '../helpers/attack.ts';
import { dataOf, mtime, putTogether, replace } from '../helpers/forge.ts';

const target = attacked();

test.each<[string, (size: number) => Buffer]>([
  ['the true size', (size) => Buffer.from([0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, size])],
  ['8 GiB', () => Buffer.from([0x80, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0])],
  ['more than there is memory', () => Buffer.from([0x80, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])],
  ['a negative one', () => Buffer.alloc(12, 0xff)],
])('as size: %s', (_what, number) => {
  const size = dataOf(target.entries, 'README.md').length;
  const header = otherHeader(encodeHeader({ name: 'README.md', size, mtime }), (block) => number(size).copy(block, 124));
  return expectRefused(target, putTogether(replace(target.entries, 'README.md', { header })), 'BUNDLE_HEADER');
});

test('as time', () => {
  const size = dataOf(target.entries, 'README.md').length;
  const header = otherHeader(encodeHeader({ name: 'README.md', size, mtime }), (block) =>
    block.fill(0, 136, 148).writeUInt8(0x80, 136),
  );
  return expectRefused(target, putTogether(replace(target.entries, 'README.md', { header })), 'BUNDLE_HEADER');
});
