import path from 'node:path';
import { readPublicKey } from '../../bundle/keys.ts';
import { signerOf, type Signer } from '../../bundle/signature.ts';
import { currentKeys, longerChain, parseTrust, revokedKeys, type TrustChain } from '../../bundle/trust.ts';
import { AirdockError, consentRefused } from '../../errors.ts';
import type { Host } from '../site/host.ts';
import { hasState } from '../state/open-state.ts';
import type { PinnedKey } from '../state/pinned-keys.ts';
import { notADeployment } from '../site/site.ts';
import { changeSite, lookAtSite, type ManagedSite } from '../site/site.ts';
import type { TrustedKey, TrustList } from './trust-documents.ts';

/** `airdock trust list | add | remove`: the keys that this deployment trusts (docs/adr/0012-trust-chain.md). */
type Where = { directory: string };

/** A change that the operator is asked to confirm. */
export type TrustChange =
  | { what: 'root' | 'release' | 'removed'; key: Signer; before: readonly TrustedKey[] }
  | { what: 'sets'; key: Signer; chain: TrustChain; before: readonly TrustedKey[] };
type Consent = (change: TrustChange) => Promise<boolean>;

/** Lists the pinned keys. Takes no lock. */
export async function listTrust(host: Host, where: Where): Promise<TrustList> {
  return lookAtSite(host, where, async (site, records) => {
    if (!records) throw notADeployment(site.directory);
    return trustList(records.state.trust.all());
  });
}

/** Pins a key. @param text PEM */
export async function addKey(
  host: Host,
  { role, text, ...where }: Where & { role: PinnedKey['role']; text: string },
  consent: Consent,
): Promise<TrustList> {
  const key = signerOf(readPublicKey(text));
  return changing(host, where, async ({ state }) => {
    const pinned = state.trust.all();
    if (role === 'release' && pinned.some((one) => one.role === 'root'))
      throw new AirdockError('USAGE', 'a root is pinned here: only its key sets decide which release keys are valid', {
        hint: 'Ask the vendor for a trust.json with this key: airdock trust add trust.json.',
      });
    await agreed(consent({ what: role, key, before: trustList(pinned).keys }));
    state.trust.pin({ ...key, role, pinnedAt: host.clock().toISOString(), chain: null });
    return trustList(state.trust.all());
  });
}

/** Adds key sets of a pinned root, without a bundle. @param bytes of `trust.json` */
export async function addKeySets(
  host: Host,
  { bytes, ...where }: Where & { bytes: Buffer },
  consent: Consent,
): Promise<TrustList> {
  const brought = parseTrust(bytes);
  return changing(host, where, async ({ state }) => {
    const pinned = state.trust.all();
    const root = pinned.find(({ role, fingerprint }) => role === 'root' && fingerprint === brought.root.fingerprint);
    if (!root)
      throw new AirdockError('KEY_NOT_TRUSTED', `the root of these key sets is not pinned here: ${brought.root.fingerprint}`, {
        hint: 'Get the vendor’s root key separately from the bundle, compare its fingerprint with the vendor, then: airdock trust add root.pub',
      });
    const { product } = state.deployment() ?? {};
    if (product !== brought.product)
      throw new AirdockError(
        'PRODUCT_MISMATCH',
        `the key sets are of ${brought.product}, this deployment is ${product ?? 'none'}`,
        {
          hint: 'Ask the vendor for the trust.json of the product that runs here.',
        },
      );
    const chain = root.chain === null ? brought : longerChain(parseTrust(root.chain), brought);
    await agreed(consent({ what: 'sets', key: brought.root, chain, before: trustList(pinned).keys }));
    state.trust.pin({ ...root, chain: chain.bytes });
    return trustList(state.trust.all());
  });
}

export async function removeKey(
  host: Host,
  { fingerprint, ...where }: Where & { fingerprint: string },
  consent: Consent,
): Promise<TrustList> {
  return changing(host, where, async ({ state }) => {
    const pinned = state.trust.all();
    const key = pinned.find((one) => one.fingerprint === fingerprint);
    if (!key)
      throw new AirdockError('USAGE', `no key with the fingerprint ${fingerprint} is pinned here`, {
        hint: `Pinned: ${pinned.map((one) => one.fingerprint).join(', ') || 'none'}.`,
      });
    await agreed(consent({ what: 'removed', key, before: trustList(pinned).keys }));
    state.trust.unpin(fingerprint);
    return trustList(state.trust.all());
  });
}

async function changing<T>(host: Host, where: Where, work: (site: ManagedSite) => Promise<T>): Promise<T> {
  if (!hasState(path.join(path.resolve(where.directory), '.airdock'))) throw notADeployment(where.directory);
  return changeSite(host, where, work);
}

async function agreed(answer: Promise<boolean>): Promise<void> {
  if (!(await answer)) throw consentRefused();
}

function trustList(pinned: readonly PinnedKey[]): TrustList {
  const rooted = pinned.some(({ role }) => role === 'root');
  const keys = pinned.map(({ fingerprint, role, pinnedAt, chain }) => {
    return { fingerprint, role, pinnedAt, counts: role === 'root' || !rooted, set: chain && newestSet(parseTrust(chain)) };
  });
  return { schema: 'airdock.trust-list/1', keys };
}

function newestSet(chain: TrustChain): NonNullable<TrustedKey['set']> {
  const { number, created, note } = chain.sets.at(-1) ?? chain.sets[0];
  const prints = (keys: readonly Signer[]): string[] => keys.map(({ fingerprint }) => fingerprint);
  return { product: chain.product, number, created, note, keys: prints(currentKeys(chain)), revoked: prints(revokedKeys(chain)) };
}
