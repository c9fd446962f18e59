import type { TrustChange } from '../../vm/commands/trust.ts';
import type { TrustedKey } from '../../vm/commands/trust-documents.ts';
import { currentKeys, revokedKeys } from '../../bundle/trust.ts';

export function trustText(keys: readonly TrustedKey[]): string {
  if (keys.length === 0) return 'No key is trusted here. The next install needs --trust.\n';
  return `${keys.flatMap(keyLines).join('\n')}\n`;
}

function keyLines({ fingerprint, role, pinnedAt, counts, set }: TrustedKey): string[] {
  const head = `${role.padEnd(8)} ${fingerprint}  pinned ${pinnedAt.slice(0, 10)}`;
  if (role === 'release') return [counts ? head : `${head}; no longer trusted: a root is pinned`];
  if (!set)
    return [head, '         no key set of this root was seen yet: the next bundle, or airdock trust add trust.json, brings one'];
  return [
    head,
    `         key set ${set.number} for ${set.product}, ${set.created.slice(0, 10)}${set.note === '' ? '' : `: ${set.note}`}`,
    ...set.keys.map((key) => `           signs    ${key}`),
    ...set.revoked.map((key) => `           revoked  ${key}`),
  ];
}

export function changeText(change: TrustChange): string {
  return `${changeLines(change).join('\n')}\n`;
}

const compare = 'Compare the fingerprint with the vendor’s, through another channel than the one the file came by.';

function changeLines(change: TrustChange): string[] {
  const { key, before, what } = change;
  if (what === 'release') return [`Trust the key ${key.fingerprint} for every release that it signs`, compare];
  if (what === 'root') {
    const overruled = before.filter(({ role, counts }) => role === 'release' && counts);
    const words = overruled.map(
      (one) => `  The key ${one.fingerprint} is no longer trusted by itself: a key set of the root must contain it.`,
    );
    return [`Trust the root ${key.fingerprint}`, ...words, compare];
  }
  if (what === 'sets') {
    const signs = currentKeys(change.chain).map(({ fingerprint }) => `  signs    ${fingerprint}`);
    const revoked = revokedKeys(change.chain).map(({ fingerprint }) => `  revoked  ${fingerprint}`);
    return [`Take key set ${change.chain.sets.length} of the root ${key.fingerprint}`, ...signs, ...revoked];
  }
  const forgotten = before.find(({ fingerprint }) => fingerprint === key.fingerprint)?.set;
  return [
    `Stop trusting ${key.fingerprint}`,
    ...(before.length > 1 ? [] : ['  It is the only key: the next install needs --trust.']),
    ...(forgotten ? ['  Its key sets and their revocations are forgotten too.'] : []),
  ];
}
