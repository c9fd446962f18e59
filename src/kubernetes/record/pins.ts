import type { Authorized, Pinned } from '../../bundle/authorize.ts';
import type { ClusterRecord } from './record.ts';

/** The keys that the record of a release in a cluster pins (docs/adr/0012-trust-chain.md). */

type Pins = ClusterRecord['trust'];

export function pinnedOf(trust: Pins): Pinned[] {
  return trust.map(({ chain, ...key }) => ({ ...key, chain: chain === null ? null : Buffer.from(chain, 'base64') }));
}

/** Adds the key that a bundle was accepted by: a root with its key sets, or a release key. */
export function signerPins(trust: Pins, { fingerprint, pem, chain }: Authorized): Pins {
  const key = chain
    ? { ...chain.root, role: 'root' as const, chain: Buffer.from(chain.bytes).toString('base64') }
    : { fingerprint, pem, role: 'release' as const, chain: null };
  const others = trust.filter((one) => one.fingerprint !== key.fingerprint);
  return [...others, { fingerprint: key.fingerprint, pem: key.pem, role: key.role, chain: key.chain }];
}
