// Something that nobody signed comes along.
import { test } from 'vitest';
import { attacked, before, expectRefused } from '../helpers/attack.ts';
import { putTogether, relist } from '../helpers/forge.ts';
import { chainOf, newKey } from '../helpers/key-sets.ts';
import { digestOf, hexOf } from '../../src/digest.ts';

const target = attacked();
const data = Buffer.from('x');
const blob = { name: `blobs/sha256/${hexOf(digestOf(data))}`, data };

test('a blob', () => expectRefused(target, putTogether([...target.entries, blob]), 'BUNDLE_ENTRY_UNLISTED'));
test('a blob under a digest that is not its own', () =>
  expectRefused(
    target,
    putTogether([...target.entries, { name: `blobs/sha256/${'0'.repeat(64)}`, data }]),
    'BUNDLE_ENTRY_UNLISTED',
  ));
test('a chart', () =>
  expectRefused(target, putTogether(before(target, 'oci-layout', { name: 'chart/other-1.tgz', data })), 'BUNDLE_ENTRY_UNLISTED'));
test('trust.json', () =>
  expectRefused(
    target,
    putTogether(before(target, 'bundle.json', { name: 'trust.json', data: chainOf(newKey(), [[newKey()]]).bytes })),
    'BUNDLE_ENTRY_UNLISTED',
  ));
test('a program', () =>
  expectRefused(target, putTogether([...target.entries, { name: 'install.sh', data }]), 'BUNDLE_ENTRY_UNKNOWN'));
test('a blob that is listed and signed, and that bundle.json does not know', () =>
  expectRefused(target, putTogether(relist([...target.entries, blob])), 'BUNDLE_MANIFEST_INVALID'));
