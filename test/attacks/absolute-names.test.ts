// An entry that names a place of the machine.
import { test } from 'vitest';
import { attacked, before, expectRefused } from '../helpers/attack.ts';
import { putTogether, replace } from '../helpers/forge.ts';

const target = attacked();

test.each(['/etc/passwd', '//etc/passwd', '/bundle.json', '/blobs/sha256/x'])('%s beside the others', (name) =>
  expectRefused(target, putTogether(before(target, 'README.md', { name, data: Buffer.from('x') })), 'BUNDLE_ENTRY_UNKNOWN'),
);

test('in place of a listed one', () =>
  expectRefused(target, putTogether(replace(target.entries, 'README.md', { name: '/README.md' })), 'BUNDLE_ENTRY_UNKNOWN'));
