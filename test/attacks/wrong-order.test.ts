// Entries in another order than the one: a reader that streams would take things for what they are not.
import { test } from 'vitest';
import { attacked, expectRefused, indexOf, swapped } from '../helpers/attack.ts';
import { putTogether, without } from '../helpers/forge.ts';

const target = attacked();

test.each([
  ['the manifest behind what it describes', 'bundle.json', 'README.md'],
  ['small files', 'compose.yaml', 'env.template'],
  ['the installer among the images', 'bin/airdock-linux-x64.gz', 'oci-layout'],
  ['index.json before oci-layout', 'oci-layout', 'index.json'],
  ['the signature before the sums', 'SHA256SUMS', 'SHA256SUMS.sig'],
])('%s', (_what, a, b) =>
  expectRefused(target, putTogether(swapped(target, indexOf(target, a), indexOf(target, b))), 'BUNDLE_ORDER'),
);

test('two layers', () =>
  expectRefused(target, putTogether(swapped(target, target.entries.length - 1, target.entries.length - 2)), 'BUNDLE_ORDER'));
test('it begins with something else', () => expectRefused(target, putTogether(target.entries.slice(1)), 'BUNDLE_ORDER'));
test('no signature behind the sums', () =>
  expectRefused(target, putTogether(without(target.entries, 'SHA256SUMS.sig')), 'BUNDLE_ORDER'));
