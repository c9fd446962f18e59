import { createPublicKey } from 'node:crypto';
import { generateKeys, readPrivateKey, type KeyPair } from '../../src/bundle/keys.ts';
import { signWith } from '../../src/bundle/signature.ts';
import { extendTrust, type TrustChain } from '../../src/bundle/trust.ts';

/** Keys of a vendor, and the chains of key sets that its root signs. */

export const password = 'correct horse';
export type TestKey = KeyPair & { sign: (bytes: Buffer) => Buffer };

export function newKey(): TestKey {
  const pair = generateKeys(password);
  return { ...pair, sign: signWith(readPrivateKey(pair.privatePem, password)) };
}

/** One set after the other, each of these keys. */
export function chainOf(root: TestKey, sets: readonly (readonly TestKey[])[], product = 'shop'): TrustChain {
  const chain = sets.reduce<TrustChain | undefined>((before, keys) => withSet(before, root, keys, product), undefined);
  if (!chain) throw new Error('a chain has a set');
  return chain;
}

export function withSet(
  before: TrustChain | undefined,
  root: TestKey,
  keys: readonly TestKey[],
  product = 'shop',
  note = '',
): TrustChain {
  return extendTrust(before, readPrivateKey(root.privatePem, password), {
    product,
    keys: keys.map(({ publicPem }) => createPublicKey(publicPem)),
    created: '2026-11-22T02:14:00Z',
    note,
  });
}
