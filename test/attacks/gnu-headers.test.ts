// Extensions of GNU tar: long names, sparse files, its own magic.
import { test } from 'vitest';
import { encodeHeader } from '../../src/bundle/tar.ts';
import { attacked, before, expectRefused, otherHeader } from '../helpers/attack.ts';
import { dataOf, mtime, putTogether, replace } from '../helpers/forge.ts';

const target = attacked();
const readme = (change: (block: Buffer) => void) => {
  const size = dataOf(target.entries, 'README.md').length;
  const header = otherHeader(encodeHeader({ name: 'README.md', size, mtime }), change);
  return putTogether(replace(target.entries, 'README.md', { header }));
};

test.each([
  ['a long name', 'L', '../../etc/cron.d/x\0'],
  ['a long link', 'K', '/etc/shadow\0'],
])('%s for the next entry', (_what, type, text) => {
  const data = Buffer.from(text);
  const header = otherHeader(encodeHeader({ name: 'x', size: data.length, mtime }), (block) => {
    block.fill(0, 0, 100).write('././@LongLink', 0);
    block.write(type, 156);
  });
  return expectRefused(target, putTogether(before(target, 'README.md', { name: 'x', data, header })), 'BUNDLE_HEADER');
});

test.each<[string, (block: Buffer) => unknown]>([
  ['a sparse file', (block) => block.write('S', 156)],
  ['a dump of directories', (block) => block.write('D', 156)],
  ['a part of a file of another volume', (block) => block.write('M', 156)],
  ['a volume label', (block) => block.write('V', 156)],
  ['its magic', (block) => block.write('ustar  \0', 257)],
  ['an access time', (block) => block.write('00000000001\0', 345)],
  ['a prefix, which other readers put before the name', (block) => block.write('../..', 345)],
])('%s', (_what, change) =>
  expectRefused(
    target,
    readme((block) => void change(block)),
    'BUNDLE_HEADER',
  ),
);
