import { AirdockError } from '../errors.ts';
import { readPublicKey } from './keys.ts';
import { signerOf, verifySums, type Signer } from './signature.ts';
import { currentKeys, longerChain, parseTrust, revokedKeys, type TrustChain } from './trust.ts';

/** Which signatures are accepted (docs/adr/0012-trust-chain.md). */

/** The key that signed, and the chain of key sets that contains the key when a root is trusted. */
export type Authorized = Signer & { chain?: TrustChain };

/**
 * Decides whether `SHA256SUMS` is signed by a trusted key.
 * @param carried the chain in the bundle's `trust.json`
 * @throws SIGNATURE_INVALID, KEY_NOT_TRUSTED, KEY_REVOKED, TRUST_FORKED, PRODUCT_MISMATCH
 */
export type Authorize = (sumsBytes: Buffer, signature: Buffer, carried?: TrustChain) => Authorized;

export type Trusted = {
  /** Public keys of releases, PEM. They are accepted only where no root is trusted. */
  keys?: readonly string[];
  /** Trusted roots, each with the longest chain of it that was seen. */
  roots?: readonly { fingerprint: string; seen?: TrustChain | undefined }[];
  /** Keys named on the command line, PEM: the root of the bundle's chain, or keys of releases. */
  given?: readonly string[];
  /** Keys named on the command line by fingerprint; the keys themselves are in `trust.json`. */
  fingerprints?: readonly string[];
};

/** A pinned key. `chain`: the bytes of the longest `trust.json` of a root that was seen. */
export type Pinned = { fingerprint: string; pem: string; role: 'root' | 'release'; chain: Buffer | null };

/** The trust that pinned keys give. With a root, pinned keys of releases are ignored (docs/adr/0012-trust-chain.md). */
export function trustedByPins(pinned: readonly Pinned[]): Trusted {
  const roots = pinned.filter(({ role }) => role === 'root');
  if (roots.length === 0) return { keys: pinned.map(({ pem }) => pem) };
  return {
    roots: roots.map(({ fingerprint, chain }) => ({ fingerprint, seen: chain === null ? undefined : parseTrust(chain) })),
  };
}

export function authorizeBy({ keys = [], roots = [], given = [], fingerprints = [] }: Trusted): Authorize {
  const releases = [...keys, ...given].map((pem) => signerOf(readPublicKey(pem)));
  const named = new Set([...given.map((pem) => signerOf(readPublicKey(pem)).fingerprint), ...fingerprints]);
  return (sumsBytes, signature, carried) => {
    const signed = (key: Signer): boolean => verifySums(sumsBytes, signature, readPublicKey(key.pem));
    const pinned = roots.map(({ fingerprint, seen }) => {
      if (carried?.root.fingerprint !== fingerprint) return seen;
      if (seen && seen.product !== carried.product) throw otherProduct(seen, carried);
      return seen ? longerChain(seen, carried) : carried;
    });
    if (roots.length === 0 && carried && named.has(carried.root.fingerprint)) pinned.push(carried);
    if (pinned.length > 0) return byChains(pinned, signed);
    const byFingerprint = carried ? currentKeys(carried).filter(({ fingerprint }) => fingerprints.includes(fingerprint)) : [];
    return byKeys([...releases, ...byFingerprint], signed, fingerprints, carried);
  };
}

function byChains(pinned: readonly (TrustChain | undefined)[], signed: (key: Signer) => boolean): Authorized {
  const chains = pinned.filter((chain) => chain !== undefined);
  if (chains.length === 0)
    throw new AirdockError('KEY_NOT_TRUSTED', 'no key set of the pinned root was ever seen here, and the bundle has none', {
      hint: 'Use a bundle that carries the vendor’s trust.json, or give that file: airdock trust add trust.json.',
    });
  for (const chain of chains) {
    const key = currentKeys(chain).find(signed);
    if (key) return { ...key, chain };
  }
  const revoked = chains.flatMap(revokedKeys).find(signed);
  if (revoked)
    throw new AirdockError('KEY_REVOKED', `the bundle is signed by ${revoked.fingerprint}, which the vendor has revoked`, {
      hint: 'Get the release again from the vendor, signed by a current key. If this file is recent, ask where it comes from.',
    });
  const prints = chains.flatMap(currentKeys).map(({ fingerprint }) => fingerprint);
  throw notSigned(`by a key of the vendor’s newest key set (${prints.join(', ')})`);
}

function byKeys(
  keys: readonly Signer[],
  signed: (key: Signer) => boolean,
  fingerprints: readonly string[],
  carried: TrustChain | undefined,
): Authorized {
  const key = keys.find(signed);
  if (key) return key;
  if (keys.length > 0) {
    const prints = keys.map(({ fingerprint }) => fingerprint).join(', ');
    throw notSigned(`by a trusted key (${prints})`, carried);
  }
  if (fingerprints.length === 0)
    throw new AirdockError('KEY_NOT_TRUSTED', 'no key is trusted yet', {
      hint: 'Give the vendor’s public key: --trust release.pub.',
    });
  const has = carried
    ? 'trust.json of the bundle has no such key'
    : 'the bundle carries no trust.json, so it has no key to compare with';
  throw new AirdockError('KEY_NOT_TRUSTED', `there is no key with the fingerprint ${fingerprints.join(', ')}: ${has}`, {
    hint: 'Compare the fingerprint with the vendor’s, or give the public key itself: --trust release.pub.',
  });
}

/** One root may sign key sets for several products; their chains are independent of each other. */
function otherProduct(seen: TrustChain, carried: TrustChain): AirdockError {
  return new AirdockError('PRODUCT_MISMATCH', `this deployment is ${seen.product}, the bundle is for ${carried.product}`, {
    hint: `Give a bundle of ${seen.product}.`,
  });
}

function notSigned(by: string, carried?: TrustChain): AirdockError {
  const again = 'Get the bundle again from the vendor, and compare the fingerprint of the key with the vendor.';
  const root = carried
    ? ` If the vendor changed the key, ask for the vendor's root key too (the bundle claims ${carried.root.fingerprint}), then: airdock trust add root.pub`
    : '';
  return new AirdockError('SIGNATURE_INVALID', `the bundle is not signed ${by}, or it was changed`, { hint: again + root });
}
