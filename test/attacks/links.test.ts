// A link: what is written through it, or read through it, lies elsewhere.
import { test } from 'vitest';
import { encodeHeader } from '../../src/bundle/tar.ts';
import { attacked, before, expectRefused, otherHeader } from '../helpers/attack.ts';
import { mtime, putTogether, replace } from '../helpers/forge.ts';

const target = attacked();
const link = (name: string, type: string, to: string) => ({
  name,
  data: Buffer.alloc(0),
  header: otherHeader(encodeHeader({ name, size: 0, mtime }), (block) => {
    block.write(type, 156);
    block.write(to, 157);
  }),
});

test.each([
  ['symbolic', '2', '/etc'],
  ['hard', '1', '/etc/shadow'],
  ['hard, to a listed file', '1', 'compose.yaml'],
])('%s, where a directory of the release would be', (_kind, type, to) =>
  expectRefused(target, putTogether(before(target, 'README.md', link('chart', type, to))), 'BUNDLE_HEADER'),
);

test('in place of a listed file', () =>
  expectRefused(
    target,
    putTogether(replace(target.entries, 'README.md', link('README.md', '2', 'env.template'))),
    'BUNDLE_HEADER',
  ));

test('a regular file with the name of a link', () =>
  expectRefused(
    target,
    putTogether(replace(target.entries, 'README.md', { header: link('README.md', '0', '/etc').header })),
    'BUNDLE_HEADER',
  ));
