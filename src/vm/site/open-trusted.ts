import { authorizeBy, trustedByPins, type Trusted } from '../../bundle/authorize.ts';
import { openBundle, type OpenBundle } from '../../bundle/reader.ts';
import { AirdockError } from '../../errors.ts';
import { durationText } from '../../units.ts';
import type { Host } from './host.ts';
import { hasState, readState } from '../state/open-state.ts';
import type { PinnedKey } from '../state/pinned-keys.ts';

/** The keys or fingerprints that the operator gave, for a deployment without pinned keys. */
export type NamedTrust = Pick<Trusted, 'given' | 'fingerprints'>;

/** Opens a bundle that is signed by a trusted key. @throws TRUST_NEEDED, and what openBundle throws */
export async function openTrusted(
  host: Host,
  { bundle: file, trust }: { bundle: string; trust: NamedTrust },
  pinned: readonly PinnedKey[],
): Promise<OpenBundle> {
  if (pinned.length === 0 && !trust.given?.length && !trust.fingerprints?.length)
    throw new AirdockError('TRUST_NEEDED', 'no key is pinned for this deployment yet', {
      hint: 'Give the vendor’s public key, which you received separately from the bundle: --trust release.pub',
    });
  const authorize = authorizeBy(pinned.length === 0 ? trust : trustedByPins(pinned));
  const bundle = await openBundle(file, { authorize, signal: host.signal });
  const age = host.clock().getTime() - Date.parse(bundle.manifest.created);
  host.listener({
    type: 'heading',
    text: `${bundle.manifest.product} ${bundle.manifest.version}, built ${ageText(age)}, signed by ${bundle.signer.fingerprint}`,
  });
  return bundle;
}

/** The pinned keys of a deployment; none when there are no records. */
export function pinnedKeys(airdock: string): PinnedKey[] {
  if (!hasState(airdock)) return [];
  const state = readState(airdock);
  try {
    return state.trust.all();
  } finally {
    state.close();
  }
}

function ageText(milliseconds: number): string {
  const days = Math.floor(milliseconds / 86_400_000);
  if (days < 0) return 'in the future according to this machine’s clock';
  return days === 0 ? `${durationText(milliseconds)} ago` : `${days} ${days === 1 ? 'day' : 'days'} ago`;
}
