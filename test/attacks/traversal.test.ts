// An entry whose name leads out of the directory that a bundle is unpacked into.
import { expect, test } from 'vitest';
import { attacked, before, expectRefused, otherHeader } from '../helpers/attack.ts';
import { putTogether } from '../helpers/forge.ts';
import { encodeHeader } from '../../src/bundle/tar.ts';
import { mtime } from '../helpers/forge.ts';

const target = attacked();
const data = Buffer.from('x');

test.each([
  '../x',
  '../../etc/cron.d/x',
  'chart/../../x.tgz',
  'blobs/sha256/../../../x',
  './bundle.json',
  'blobs//sha256/x',
  '..',
])('%s', (name) => expectRefused(target, putTogether(before(target, 'README.md', { name, data })), 'BUNDLE_ENTRY_UNKNOWN'));

test.each(['..\\x', 'a b', '~/x', '$HOME/x', 'x\ny', '\u202ex'])('a name with other bytes, %j', async (name) => {
  const header = otherHeader(encodeHeader({ name: 'x', size: 1, mtime }), (block) => block.fill(0, 0, 100).write(name, 0));
  expect(header.subarray(0, 100).toString()).toContain(name);
  await expectRefused(target, putTogether(before(target, 'README.md', { name, data, header })), 'BUNDLE_HEADER');
});
