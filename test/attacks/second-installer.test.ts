// `tar xO FILE bin/airdock-linux-x64.gz` gives every entry of that name: a planted one would run, the checked one would be checked.
import { test } from 'vitest';
import { attacked, before, expectRefused } from '../helpers/attack.ts';
import { putTogether, relist } from '../helpers/forge.ts';

const target = attacked();
const name = 'bin/airdock-linux-x64.gz';
const planted = { name, data: Buffer.from('planted') };

test('before the checked one', () => expectRefused(target, putTogether(before(target, name, planted)), 'BUNDLE_ENTRY_DUPLICATE'));
test('behind it', () => expectRefused(target, putTogether(before(target, 'oci-layout', planted)), 'BUNDLE_ENTRY_DUPLICATE'));
test('in its place', () =>
  expectRefused(
    target,
    putTogether(target.entries.map((entry) => (entry.name === name ? { ...entry, data: Buffer.from('INSTALLER') } : entry))),
    'BUNDLE_DIGEST_MISMATCH',
  ));
test('for another machine, which SHA256SUMS does not list', () =>
  expectRefused(
    target,
    putTogether(before(target, name, { ...planted, name: 'bin/airdock-linux-arm64.gz' })),
    'BUNDLE_ENTRY_UNLISTED',
  ));
test('for another machine, listed and signed, and unknown to bundle.json', () =>
  expectRefused(
    target,
    putTogether(relist(before(target, name, { ...planted, name: 'bin/airdock-linux-arm64.gz' }))),
    'BUNDLE_MANIFEST_INVALID',
  ));
