import { describe, expect, test } from 'vitest';
import { authorizeBy, type Trusted } from '../../src/bundle/authorize.ts';
import type { TrustChain } from '../../src/bundle/trust.ts';
import { chainOf, newKey, withSet } from '../helpers/key-sets.ts';

/** ADR 12: whose signature is good. */

const sums = Buffer.from('what SHA256SUMS holds\n');
const [root, thief, one, two, three] = [newKey(), newKey(), newKey(), newKey(), newKey()];
const first = chainOf(root, [[one]]);
const both = withSet(first, root, [one, two]);
const second = withSet(both, root, [two]);
const third = withSet(second, root, [two, three]);

const pinned = (seen?: TrustChain): Trusted => ({ roots: [{ fingerprint: root.fingerprint, seen }] });
const verdict = (trusted: Trusted, key: { sign: (bytes: Buffer) => Buffer }, carried?: TrustChain): string => {
  try {
    return authorizeBy(trusted)(sums, key.sign(sums), carried).chain ? 'by the chain' : 'by the key';
  } catch (error) {
    return (error as { code: string }).code;
  }
};

describe('a root is pinned', () => {
  test.each<[string, Trusted, typeof one, TrustChain | undefined, string]>([
    ['a key of the set that the bundle brings', pinned(), one, first, 'by the chain'],
    ['a customer who skipped every rotation', pinned(first), three, third, 'by the chain'],
    ['a bundle of before, by a key that still counts', pinned(third), two, both, 'by the chain'],
    ['a bundle without trust.json, by a key of the set that was seen', pinned(second), two, undefined, 'by the chain'],
    ['an old bundle with its old chain, by the revoked key', pinned(second), one, first, 'KEY_REVOKED'],
    ['a bundle without trust.json, by the revoked key', pinned(second), one, undefined, 'KEY_REVOKED'],
    ['a bundle whose own chain revokes its key', pinned(first), one, second, 'KEY_REVOKED'],
    ['a key that is in no set', pinned(second), thief, second, 'SIGNATURE_INVALID'],
    ['the root itself', pinned(second), root, second, 'SIGNATURE_INVALID'],
    ['no key set was ever seen', pinned(), one, undefined, 'KEY_NOT_TRUSTED'],
    ['a chain of another root, by its key', pinned(first), thief, chainOf(newKey(), [[thief]]), 'SIGNATURE_INVALID'],
    ['a chain of another root, and none was seen', pinned(), thief, chainOf(newKey(), [[thief]]), 'KEY_NOT_TRUSTED'],
    ['another product of the same root', pinned(second), two, chainOf(root, [[two]], 'notes'), 'PRODUCT_MISMATCH'],
    ['a fork', pinned(second), three, withSet(both, root, [three]), 'TRUST_FORKED'],
    ['a release key that was pinned before', { ...pinned(first), keys: [thief.publicPem] }, thief, first, 'SIGNATURE_INVALID'],
    ['what --trust names', { ...pinned(first), given: [thief.publicPem] }, thief, first, 'SIGNATURE_INVALID'],
    ['what --fingerprint names', { ...pinned(second), fingerprints: [one.fingerprint] }, one, first, 'KEY_REVOKED'],
  ])('%s', (_what, trusted, key, carried, expected) => {
    expect(verdict(trusted, key, carried)).toBe(expected);
  });

  test('the chain that counts is the longer one: it is what will be remembered', () => {
    expect(authorizeBy(pinned(first))(sums, two.sign(sums), second).chain).toBe(second);
    expect(authorizeBy(pinned(third))(sums, two.sign(sums), both).chain).toBe(third);
  });

  test('two roots, a lost one and the new: either counts', () => {
    const other = newKey();
    const roots = [...(pinned(first).roots ?? []), { fingerprint: other.fingerprint }];
    expect(verdict({ roots }, one)).toBe('by the chain');
    expect(verdict({ roots }, three, chainOf(other, [[three]]))).toBe('by the chain');
  });
});

describe('keys of releases are pinned', () => {
  const keys = [one.publicPem];
  test.each<[string, Trusted, typeof one, TrustChain | undefined, string]>([
    ['the key', { keys }, one, undefined, 'by the key'],
    ['nothing is taken from a trust.json', { keys }, two, both, 'SIGNATURE_INVALID'],
    ['not even that it revokes the key', { keys }, one, second, 'by the key'],
    ['a thief with the key brings a root of their own', { keys }, thief, chainOf(thief, [[newKey()]]), 'SIGNATURE_INVALID'],
    ['a pinned key of releases is no root, whatever the bundle says', { keys }, two, chainOf(one, [[two]]), 'SIGNATURE_INVALID'],
  ])('%s', (_what, trusted, key, carried, expected) => {
    expect(verdict(trusted, key, carried)).toBe(expected);
  });
});

describe('nothing is pinned', () => {
  test.each<[string, Trusted, typeof one, TrustChain | undefined, string]>([
    ['--trust names the key', { given: [one.publicPem] }, one, undefined, 'by the key'],
    ['--trust names the root', { given: [root.publicPem] }, two, second, 'by the chain'],
    ['--trust names the root, a revoked key signed', { given: [root.publicPem] }, one, second, 'KEY_REVOKED'],
    ['--trust names root and revoked key', { given: [root.publicPem, one.publicPem] }, one, second, 'KEY_REVOKED'],
    ['--trust names the root, the bundle has no trust.json', { given: [root.publicPem] }, two, undefined, 'SIGNATURE_INVALID'],
    ['--fingerprint of the root', { fingerprints: [root.fingerprint] }, two, second, 'by the chain'],
    ['--fingerprint of the key', { fingerprints: [two.fingerprint] }, two, second, 'by the key'],
    ['--fingerprint of the key, no trust.json', { fingerprints: [two.fingerprint] }, two, undefined, 'KEY_NOT_TRUSTED'],
    ['--fingerprint of a revoked key', { fingerprints: [one.fingerprint] }, one, second, 'KEY_NOT_TRUSTED'],
    ['--fingerprint of another key', { fingerprints: [thief.fingerprint] }, two, second, 'KEY_NOT_TRUSTED'],
    ['--fingerprint of one key, signed by another', { fingerprints: [two.fingerprint] }, three, third, 'SIGNATURE_INVALID'],
    ['nothing', {}, one, first, 'KEY_NOT_TRUSTED'],
  ])('%s', (_what, trusted, key, carried, expected) => {
    expect(verdict(trusted, key, carried)).toBe(expected);
  });
});
