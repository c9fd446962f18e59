// pax headers say of the next entry what its own header does not: another name, another size. Readers differ in which they heed.
import { expect, test } from 'vitest';
import { execa } from 'execa';
import { writeFile } from 'node:fs/promises';
import { encodeHeader } from '../../src/bundle/tar.ts';
import { attacked, before, expectRefused, otherHeader } from '../helpers/attack.ts';
import { mtime, putTogether, type RawEntry } from '../helpers/forge.ts';

const target = attacked();
/** Records of a pax header: `LENGTH KEY=VALUE\n`, the length counting itself. */
function pax(type: 'x' | 'g', records: Record<string, string>): RawEntry {
  const text = Object.entries(records)
    .map(([key, value]) => {
      const rest = Buffer.byteLength(` ${key}=${value}\n`);
      let length = rest;
      while (String(length).length + rest !== length) length = String(length).length + rest;
      return `${length} ${key}=${value}\n`;
    })
    .join('');
  const data = Buffer.from(text);
  const name = 'PaxHeader/README.md';
  const header = otherHeader(encodeHeader({ name, size: data.length, mtime }), (block) => block.write(type, 156));
  return { name, data, header };
}

test.each<[string, 'x' | 'g', Record<string, string>]>([
  ['another name for the next one', 'x', { path: '../../etc/cron.d/x' }],
  ['a link for the next one', 'x', { linkpath: '/etc/shadow' }],
  ['another size for the next one', 'x', { size: '0' }],
  ['a negative size', 'x', { size: '-1' }],
  ['another time', 'x', { mtime: '1.5' }],
  ['another name for all that follow', 'g', { path: 'x' }],
  ['a comment', 'g', { comment: 'harmless' }],
])('%s', (_what, type, records) =>
  expectRefused(target, putTogether(before(target, 'README.md', pax(type, records))), 'BUNDLE_HEADER'),
);

test('a size that hides an entry from those who heed it', async () => {
  const planted = { name: 'compose.yaml', data: Buffer.from('services: {}') };
  const hidden = putTogether([planted], Buffer.alloc(0));
  // those who heed the size take the planted entry for the README's data
  const hostile = putTogether(
    before(target, 'README.md', pax('x', { size: String(hidden.length) }), { name: 'README.md', data: hidden }),
  );
  await writeFile(target.folder.file('seen.tar'), hostile);
  const names = (await execa('tar', ['tf', target.folder.file('seen.tar')], { reject: false })).stdout.split('\n');
  expect(names.filter((name) => name === 'compose.yaml')).toHaveLength(1); // GNU tar sees one of the two
  await expectRefused(target, hostile, 'BUNDLE_HEADER');
});
