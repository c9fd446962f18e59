import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { canonicalJson } from '../../src/bundle/canonical.ts';
import { currentKeys, longerChain, parseTrust, revokedKeys } from '../../src/bundle/trust.ts';
import { temporaryFolder } from '../helpers/bundle.ts';
import { chainOf, newKey, withSet } from '../helpers/key-sets.ts';

const root = newKey();
const [one, two, three] = [newKey(), newKey(), newKey()];
const prints = (keys: readonly { fingerprint: string }[]): string[] => keys.map(({ fingerprint }) => fingerprint);
const purpose = Buffer.from('airdock key set\n');
type Document = {
  schema: string;
  root: string;
  sets: { set: Record<string, unknown> & { keys: string[]; number: number; product: string }; signature: string }[];
  [member: string]: unknown;
};
const good = chainOf(root, [[one], [one, two], [two]]);
const changed = (change: (document: Document) => void): Buffer => {
  const document = JSON.parse(good.bytes.toString()) as Document;
  change(document);
  return canonicalJson(document);
};
const invalid = (why: string): unknown =>
  expect.objectContaining({ code: 'TRUST_INVALID', exitCode: 4, message: expect.stringContaining(why) });

describe('FORMAT.md 3.1, the chain of key sets', () => {
  test('the last set counts; what it leaves out is revoked', () => {
    const read = parseTrust(good.bytes);
    expect(read.sets.map(({ number, keys }) => [number, prints(keys)])).toEqual([
      [1, prints([one])],
      [2, prints([one, two])],
      [3, prints([two])],
    ]);
    expect(read).toMatchObject({ product: 'shop', root: { fingerprint: root.fingerprint } });
    expect(prints(currentKeys(read))).toEqual(prints([two]));
    expect(prints(revokedKeys(read))).toEqual(prints([one]));
  });

  test('a key that comes back is not revoked', () => {
    expect(revokedKeys(chainOf(root, [[one], [two], [one, two]]))).toEqual([]);
  });

  const other = generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey.export({ type: 'spki', format: 'pem' });
  test.each<[string, string, (document: Document) => void]>([
    ['another schema', 'schema', (document) => void (document.schema = 'airdock.trust/2')],
    ['a member too many', 'mirror', (document) => void (document['mirror'] = 'https://evil.example')],
    ['no set', 'sets', (document) => void (document.sets = [])],
    ['a set left out', 'set 3 is where set 2 belongs', (document) => void document.sets.splice(1, 1)],
    ['the first set left out', 'set 2 is where set 1 belongs', (document) => void document.sets.shift()],
    ['two sets exchanged', 'set 3 is where set 2 belongs', ({ sets }) => void sets.splice(1, 2, sets[2]!, sets[1]!)],
    ['a set twice', 'set 3 is where set 4 belongs', ({ sets }) => void sets.push(sets[2]!)],
    ['a key put in', 'is not signed by the root', ({ sets }) => void sets[2]!.set.keys.push(one.publicPem)],
    [
      'a set of another chain',
      'does not follow',
      ({ sets }) => {
        const branch = withSet(chainOf(root, [[three], [three]]), root, [three]);
        sets[2] = (JSON.parse(branch.bytes.toString()) as Document).sets[2]!;
      },
    ],
    [
      'signatures exchanged',
      'is not signed by the root',
      ({ sets }) => {
        [sets[0]!.signature, sets[1]!.signature] = [sets[1]!.signature, sets[0]!.signature];
      },
    ],
    ['another root', 'is not signed by the root', (document) => void (document.root = newKey().publicPem)],
    ['a set of another product', 'is for another product', ({ sets }) => void (sets[1]!.set.product = 'notes')],
    [
      'the signature of a release key',
      'is not signed by the root',
      ({ sets }) => {
        sets[2]!.signature = two.sign(Buffer.concat([purpose, canonicalJson(sets[2]!.set)])).toString('base64');
      },
    ],
    // what a release key signs is a SHA256SUMS; what the root signs never is one
    [
      'a signature over the set alone',
      'is not signed by the root',
      ({ sets }) => {
        sets[2]!.signature = root.sign(canonicalJson(sets[2]!.set)).toString('base64');
      },
    ],
    [
      'a number that cannot be surpassed',
      'set 9007199254740991 is where',
      ({ sets }) => void (sets[0]!.set.number = 2 ** 53 - 1),
    ],
  ])('%s', (_what, why, change) => {
    expect(() => parseTrust(changed(change))).toThrow(invalid(why));
  });

  test('the root does not sign releases; a set has no key twice', () => {
    expect(() => chainOf(root, [[root]])).toThrow(invalid('the root among the keys'));
    expect(() => chainOf(root, [[one, one]])).toThrow(invalid('a key twice'));
  });

  test.each([
    ['a key of another kind', other, 'P-256'],
    ['a key that is none', 'SHA256:x', 'not a PEM'],
    ['a private key', one.privatePem, 'not a PEM'],
    ['a key in another form', `\n${one.publicPem}`, 'not in the form'],
  ])('%s, in a set that the root signed', (_what, pem, why) => {
    const bytes = changed(({ sets }) => {
      sets.splice(1);
      sets[0]!.set.keys[0] = pem;
      sets[0]!.signature = root.sign(Buffer.concat([purpose, canonicalJson(sets[0]!.set)])).toString('base64');
    });
    expect(() => parseTrust(bytes)).toThrow(invalid(why));
  });

  test('one form: no other spacing, no member twice, no byte order mark', () => {
    const text = good.bytes.toString();
    for (const bytes of [
      `${text}\n`,
      JSON.stringify(JSON.parse(text)),
      text.replace('{', '{\n  "root": "",'),
      `\uFEFF${text}`,
      'null',
      '{',
    ])
      expect(() => parseTrust(Buffer.from(bytes))).toThrow(expect.objectContaining({ code: 'TRUST_INVALID' }));
    for (const bytes of [Buffer.alloc(256 * 1024 + 1, ' '), Buffer.from(`[${'[],'.repeat(30_000)}[]]`)])
      expect(() => parseTrust(bytes)).toThrow(expect.objectContaining({ code: 'BUNDLE_ENTRY_TOO_LARGE' }));
  });

  test('only the root goes on', () => {
    expect(() => withSet(good, newKey(), [one])).toThrow(invalid('its root is'));
    expect(() => withSet(good, root, [one], 'notes')).toThrow(invalid('another product'));
  });

  test('of two chains the longer; two that part are a fork', () => {
    const short = chainOf(root, [[one], [one, two]]);
    const long = withSet(withSet(short, root, [two]), root, [three]);
    expect(longerChain(short, long)).toBe(long);
    expect(longerChain(long, short)).toBe(long);
    expect(longerChain(long, parseTrust(long.bytes)).sets).toEqual(long.sets);
    const fork = withSet(short, root, [three]);
    for (const [seen, brought] of [
      [long, fork],
      [fork, long],
    ] as const)
      expect(() => longerChain(seen, brought)).toThrow(
        expect.objectContaining({
          code: 'TRUST_FORKED',
          exitCode: 4,
          details: { seen: seen.sets[2]?.digest, brought: brought.sets[2]?.digest },
        }),
      );
  });

  test('openssl and jq check a set, as FORMAT.md 3.1 prints it', async () => {
    await using folder = await temporaryFolder();
    await writeFile(folder.file('trust.json'), good.bytes);
    const script = `
      jq -r .root trust.json > root.pem
      { echo 'airdock key set'; jq '.sets[2].set' trust.json; } > set
      jq -r '.sets[2].signature' trust.json | base64 -d > set.sig
      openssl dgst -sha256 -verify root.pem -signature set.sig set`;
    const run = (text: string): string => execFileSync('bash', ['-euc', text], { cwd: folder.path, encoding: 'utf8' });
    expect(run(script)).toBe('Verified OK\n');
    expect(() => run(script.replaceAll('.sets[2].set', '.sets[1].set'))).toThrow('Command failed');
  });
});
