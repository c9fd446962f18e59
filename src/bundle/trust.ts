import { sign, verify, type KeyObject } from 'node:crypto';
import { z } from 'zod';
import { digestOf, type Digest } from '../digest.ts';
import { AirdockError } from '../errors.ts';
import { canonicalJson } from './canonical.ts';
import { readPublicKey } from './keys.ts';
import { checkEntryLimit } from './limits.ts';
import { digest, productName, timestamp } from './manifest.ts';
import { trustName } from './names.ts';
import { signerOf, type Signer } from './signature.ts';
import { checkValueLimit } from './values.ts';

/** `trust.json` (docs/FORMAT.md section 3.1, docs/adr/0012): a chain of key sets, each signed by the root. */

const keySet = z.strictObject({
  product: productName,
  /** 1, 2, 3…: without a gap. */
  number: z.int().positive(),
  /** Digest of the canonical bytes of the previous set. */
  previous: digest.nullable(),
  /** For people; no check uses it. */
  created: timestamp,
  /** Public keys of releases, PEM. */
  keys: z.array(z.string()).min(1).max(32),
  note: z.string().max(500),
});
type KeySet = z.infer<typeof keySet>;

export const trustDocument = z.strictObject({
  schema: z.literal('airdock.trust/1'),
  /** Public key of the root, PEM. */
  root: z.string(),
  sets: z.array(z.strictObject({ set: keySet, signature: z.base64() })).min(1),
});

export type KeySetRecord = { number: number; created: string; note: string; keys: readonly Signer[]; digest: Digest };
/** A chain whose signatures were all checked. It does not say whether its root is trusted. */
export type TrustChain = {
  bytes: Buffer;
  root: Signer;
  product: string;
  sets: readonly [KeySetRecord, ...KeySetRecord[]];
};

/** Prefix of everything that a root signs, so that a key set can never pass as a `SHA256SUMS`, nor the reverse. */
const purpose = Buffer.from('airdock key set\n');

/** @throws TRUST_INVALID, BUNDLE_ENTRY_TOO_LARGE */
export function parseTrust(bytes: Buffer): TrustChain {
  checkEntryLimit(trustName, bytes.length);
  checkValueLimit(trustName, bytes);
  const parsed = trustDocument.safeParse(parseJson(bytes));
  if (!parsed.success) throw invalid(z.prettifyError(parsed.error).slice(0, 500));
  const { root: rootPem, sets } = parsed.data;
  if (!canonicalJson(parsed.data).equals(bytes)) throw invalid('it is not in canonical form');
  const root = keyOf(rootPem);
  const records: KeySetRecord[] = [];
  for (const { set, signature } of sets) {
    const before = records.at(-1);
    const number = (before?.number ?? 0) + 1;
    if (set.number !== number) throw invalid(`set ${set.number} is where set ${number} belongs`);
    if (set.previous !== (before?.digest ?? null)) throw invalid(`set ${number} does not follow the set before it`);
    if (set.product !== sets[0]?.set.product) throw invalid(`set ${number} is for another product`);
    const text = canonicalJson(set);
    if (!verify('sha256', signedText(text), { key: root.key, dsaEncoding: 'der' }, Buffer.from(signature, 'base64')))
      throw invalid(`set ${number} is not signed by the root ${root.signer.fingerprint}`);
    records.push({ number, created: set.created, note: set.note, keys: keysOf(set, root.signer), digest: digestOf(text) });
  }
  const [first, ...others] = records;
  if (!first) throw invalid('it has no set');
  return { bytes, root: root.signer, product: sets[0]?.set.product ?? '', sets: [first, ...others] };
}

export type NextSet = { product: string; keys: readonly KeyObject[]; created: string; note: string };

/** Adds a set, signed by the root, to a chain, or begins a new chain. @throws TRUST_INVALID */
export function extendTrust(chain: TrustChain | undefined, rootKey: KeyObject, next: NextSet): TrustChain {
  const root = signerOf(rootKey);
  if (chain && chain.root.fingerprint !== root.fingerprint)
    throw invalid(`its root is ${chain.root.fingerprint}, this key is ${root.fingerprint}`);
  const last = chain?.sets.at(-1);
  const set: KeySet = {
    product: next.product,
    number: (last?.number ?? 0) + 1,
    previous: last?.digest ?? null,
    created: next.created,
    keys: next.keys.map((key) => signerOf(key).pem),
    note: next.note,
  };
  const signature = sign('sha256', signedText(canonicalJson(set)), { key: rootKey, dsaEncoding: 'der' }).toString('base64');
  const before = chain ? trustDocument.parse(JSON.parse(chain.bytes.toString('utf8'))).sets : [];
  return parseTrust(canonicalJson({ schema: 'airdock.trust/1', root: root.pem, sets: [...before, { set, signature }] }));
}

/** The keys that may sign releases: those of the last set. */
export function currentKeys({ sets }: TrustChain): readonly Signer[] {
  return (sets.at(-1) ?? sets[0]).keys;
}

/**
 * Checks, before a release is signed, that customers would accept the signer.
 * @param signer undefined when the bundle is signed later
 * @throws KEY_NOT_TRUSTED
 */
export function assertMaySign(chain: TrustChain, product: string, signer?: Signer): void {
  const refused = (why: string): AirdockError =>
    new AirdockError('KEY_NOT_TRUSTED', `customers who trust the root of ${trustName} would refuse this bundle: ${why}`, {
      hint: 'Sign with a key of the newest set, or make a set that has this key: airdock trust rotate.',
    });
  if (chain.product !== product) throw refused(`its key sets are for ${chain.product}, not for ${product}`);
  if (signer && !currentKeys(chain).some(({ fingerprint }) => fingerprint === signer.fingerprint))
    throw refused(`the newest key set does not have ${signer.fingerprint}`);
}

/** Keys of earlier sets that the last one leaves out. */
export function revokedKeys(chain: TrustChain): Signer[] {
  const current = new Set(currentKeys(chain).map(({ fingerprint }) => fingerprint));
  const all = new Map(chain.sets.flatMap(({ keys }) => keys).map((key) => [key.fingerprint, key]));
  return [...all.values()].filter(({ fingerprint }) => !current.has(fingerprint));
}

/**
 * The longer of two chains of which one continues the other.
 * @throws TRUST_FORKED when neither continues the other: somebody signed two sets of the same number
 */
export function longerChain(seen: TrustChain, brought: TrustChain): TrustChain {
  const [shorter, longer] = seen.sets.length <= brought.sets.length ? [seen, brought] : [brought, seen];
  const apart = shorter.sets.find((set, index) => set.digest !== longer.sets[index]?.digest);
  if (!apart) return shorter === seen ? brought : seen;
  throw new AirdockError(
    'TRUST_FORKED',
    `the root ${seen.root.fingerprint} signed two different key sets of number ${apart.number}: one that was seen here before, and one in this file`,
    {
      hint: 'Whoever signed them has the root key. Ask the vendor through another channel, and install nothing until then.',
      details: { seen: setDigest(seen, apart.number), brought: setDigest(brought, apart.number) },
    },
  );
}

function setDigest({ sets }: TrustChain, number: number): string | undefined {
  return sets[number - 1]?.digest;
}

function signedText(set: Buffer): Buffer {
  return Buffer.concat([purpose, set]);
}

function keysOf(set: KeySet, root: Signer): Signer[] {
  const keys = set.keys.map((pem) => keyOf(pem).signer);
  if (new Set(keys.map(({ fingerprint }) => fingerprint)).size < keys.length) throw invalid(`set ${set.number} has a key twice`);
  if (keys.some(({ fingerprint }) => fingerprint === root.fingerprint))
    throw invalid(`set ${set.number} has the root among the keys of releases`);
  return keys;
}

/** Reads a PEM key, which must be exactly as openssl writes it. @throws TRUST_INVALID */
function keyOf(pem: string): { key: KeyObject; signer: Signer } {
  const key = readKey(pem);
  const signer = signerOf(key);
  if (signer.pem !== pem) throw invalid('a key is not in the form that openssl writes');
  return { key, signer };
}

function readKey(pem: string): KeyObject {
  try {
    return readPublicKey(pem);
  } catch (cause) {
    throw invalid(cause instanceof AirdockError ? cause.message : 'a key cannot be read', cause);
  }
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw invalid('it is not JSON', cause);
  }
}

function invalid(why: string, cause?: unknown): AirdockError {
  return new AirdockError('TRUST_INVALID', `${trustName} is not a chain of key sets: ${why} (FORMAT.md 3.1)`, { cause });
}
