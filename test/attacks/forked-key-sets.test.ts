// Whoever has the root signs a set of a number that was taken: to this customer, with a key of their own.
import { test } from 'vitest';
import { authorizeBy } from '../../src/bundle/authorize.ts';
import { attacked, expectRefused } from '../helpers/attack.ts';
import { testKey } from '../helpers/bundle.ts';
import { putTogether, relist, replace, resign } from '../helpers/forge.ts';
import { chainOf, newKey, withSet } from '../helpers/key-sets.ts';

const [root, thief] = [newKey(), newKey()];
const first = chainOf(root, [[testKey]]);
const seen = withSet(first, root, [testKey, newKey()]);
const target = attacked({ trust: seen }, authorizeBy({ roots: [{ fingerprint: root.fingerprint, seen }] }));
const carrying = (data: Buffer, sign = thief.sign): Buffer =>
  putTogether(resign(relist(replace(target.entries, 'trust.json', { data })), sign));
const fork = withSet(first, root, [thief]);

test('of the same length', () => expectRefused(target, carrying(fork.bytes), 'TRUST_FORKED'));
test('longer', () => expectRefused(target, carrying(withSet(fork, root, [thief]).bytes), 'TRUST_FORKED'));
test('from the beginning', () => expectRefused(target, carrying(chainOf(root, [[thief]]).bytes), 'TRUST_FORKED'));
test('signed by a key that is good', () => expectRefused(target, carrying(fork.bytes, testKey.sign), 'TRUST_FORKED'));
