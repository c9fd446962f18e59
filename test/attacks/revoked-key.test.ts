// Whoever has a key that was revoked signs with it: the old chain along, no chain, a chain of their own.
import { test } from 'vitest';
import { authorizeBy } from '../../src/bundle/authorize.ts';
import { attacked, expectRefused, indexOf } from '../helpers/attack.ts';
import { testKey } from '../helpers/bundle.ts';
import { putTogether, relist, replace, resign, without } from '../helpers/forge.ts';
import { chainOf, newKey, withSet } from '../helpers/key-sets.ts';

const [root, stolen] = [newKey(), newKey()];
const before = chainOf(root, [[stolen]]);
const seen = withSet(before, root, [testKey]);
const target = attacked({ trust: seen }, authorizeBy({ roots: [{ fingerprint: root.fingerprint, seen }] }));
const carrying = (data: Buffer): Buffer =>
  putTogether(resign(relist(replace(target.entries, 'trust.json', { data })), stolen.sign));

test('with the chain of before', () => expectRefused(target, carrying(before.bytes), 'KEY_REVOKED'));
test('with the chain that revokes it', () => expectRefused(target, carrying(seen.bytes), 'KEY_REVOKED'));
test('without a chain', () =>
  expectRefused(target, putTogether(resign(relist(without(target.entries, 'trust.json')), stolen.sign)), 'KEY_REVOKED'));
test('with a chain of another root', () => expectRefused(target, carrying(chainOf(newKey(), [[stolen]]).bytes), 'KEY_REVOKED'));
test('with a set that the key itself signed', () => {
  const own = JSON.parse(withSet(before, root, [stolen]).bytes.toString()) as { sets: { signature: string }[] };
  own.sets[1]!.signature = stolen.sign(Buffer.from('airdock key set\n')).toString('base64');
  return expectRefused(target, carrying(Buffer.from(`${JSON.stringify(own, undefined, 2)}\n`)), 'TRUST_INVALID');
});
test('a good chain, that is not listed', () => {
  const at = indexOf(target, 'trust.json');
  const entries = target.entries.with(at, { name: 'trust.json', data: withSet(seen, root, [testKey, newKey()]).bytes });
  return expectRefused(target, putTogether(entries), 'BUNDLE_DIGEST_MISMATCH');
});
