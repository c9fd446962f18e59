// Bundles changed at random: bytes of the file, and entries, headers, sums of a bundle that is signed again afterwards.
import * as fc from 'fast-check';
import { test } from 'vitest';
import { encodeHeader } from '../../src/bundle/tar.ts';
import { attacked, otherHeader } from '../helpers/attack.ts';
import { dataOf, mtime, putTogether, relist, replace, resign, type RawEntry } from '../helpers/forge.ts';
import { byRoot, expectAllRules, fuzz, fuzzed, type Mutant } from '../helpers/fuzz.ts';

const target = attacked(fuzzed, byRoot);

/** Places as shares of what there is: a mutation means the same in any bundle. */
const share = fc.noBias(fc.integer({ min: 0, max: 2 ** 30 - 1 }).map((number) => number / 2 ** 30));
const at = (place: number, length: number): number => Math.min(length - 1, Math.floor(place * length));
const bits = fc.constantFrom(1, 2, 4, 8, 16, 32, 64, 128);

/** Of the bytes of the file: nobody signs what they have become. */
const ofFile = fc.record({
  kind: fc.constantFrom('flip', 'flip', 'cut', 'insert', 'remove', 'repeat', 'swap', 'zero'),
  place: share,
  other: share,
  bit: bits,
  more: fc.uint8Array({ minLength: 1, maxLength: 600 }),
});
type OfFile = typeof ofFile extends fc.Arbitrary<infer T> ? T : never;

function changeFile(bytes: Buffer, { kind, place, other, bit, more }: OfFile): Buffer {
  const here = at(place, bytes.length);
  const block = Math.floor(here / 512) * 512;
  const second = Math.floor(at(other, bytes.length) / 512) * 512;
  const copy = Buffer.from(bytes);
  switch (kind) {
    case 'flip':
      copy.writeUInt8(copy.readUInt8(here) ^ bit, here);
      return copy;
    case 'cut':
      return copy.subarray(0, here);
    case 'insert':
      return Buffer.concat([copy.subarray(0, here), more, copy.subarray(here)]);
    case 'remove':
      return Buffer.concat([copy.subarray(0, block), copy.subarray(block + 512)]);
    case 'repeat':
      return Buffer.concat([copy.subarray(0, block + 512), copy.subarray(block)]);
    case 'zero':
      return copy.fill(0, block, block + 512);
    default:
      bytes.copy(copy, block, second, second + 512);
      bytes.copy(copy, second, block, block + 512);
      return copy;
  }
}

const otherNames = [
  '../x',
  '/etc/passwd',
  'bundle.json',
  'compose.yaml',
  'SHA256SUMS',
  'bin/airdock-linux-x64.gz',
  'trust.json',
  'x',
];
/** Of entries: the sums are signed again as they are, or as the entries have become. */
const ofEntries = fc.record({
  kind: fc.constantFrom(
    'data',
    'size',
    'header',
    'type',
    'padding',
    'name',
    'swap',
    'twice',
    'drop',
    'add',
    'time',
    'sums',
    'sums',
    'slot',
  ),
  place: share,
  other: share,
  within: share,
  bit: bits,
  byte: fc.integer({ min: 0, max: 255 }),
  name: fc.constantFrom(...otherNames),
  list: fc.boolean(),
});
type OfEntries = typeof ofEntries extends fc.Arbitrary<infer T> ? T : never;

function changeEntries(entries: readonly RawEntry[], change: OfEntries): RawEntry[] | undefined {
  const index = at(change.place, entries.length);
  const second = at(change.other, entries.length);
  const entry = entries[index]!;
  const { name, data } = entry;
  const plain = encodeHeader({ name, size: data.length, mtime });
  const put = (one: Partial<RawEntry>): RawEntry[] => entries.with(index, { ...entry, ...one });
  switch (change.kind) {
    case 'data': {
      // what bundle.json says is another fuzzer's; the signature's slot is written anew
      if (['SHA256SUMS', 'SHA256SUMS.sig'].includes(name) || (change.list && name === 'bundle.json') || data.length === 0)
        return undefined;
      const copy = Buffer.from(data);
      const byte = at(change.within, copy.length);
      copy.writeUInt8(copy.readUInt8(byte) ^ change.bit, byte);
      return put({ data: copy });
    }
    case 'size':
      return put({ header: encodeHeader({ name, size: Math.floor(change.within * 2 ** (change.byte % 33)), mtime }) });
    case 'header':
      return put({
        header: otherHeader(plain, (block) => block.writeUInt8(change.byte, at(change.within, 512))),
      });
    case 'type':
      return put({ header: otherHeader(plain, (block) => block.writeUInt8(change.byte, 156)) });
    case 'padding': {
      const length = (512 - (data.length % 512)) % 512;
      if (length === 0 || change.byte === 0) return undefined;
      const padding = Buffer.alloc(length);
      padding.writeUInt8(change.byte, at(change.within, length));
      return put({ padding });
    }
    case 'name':
      return name === change.name ? undefined : put({ name: change.name });
    case 'swap':
      return index === second ? undefined : entries.with(index, entries[second]!).with(second, entry);
    case 'twice':
      return entries.toSpliced(second, 0, entry);
    case 'drop':
      return entries.toSpliced(index, 1);
    case 'add':
      return entries.toSpliced(index, 0, { name: change.name, data: Buffer.from('x') });
    case 'time':
      return put({ header: encodeHeader({ name, size: data.length, mtime: mtime + 1 + change.byte }) });
    case 'slot': {
      const slot = Buffer.from(dataOf(entries, 'SHA256SUMS.sig'));
      slot.writeUInt8(change.byte, at(change.within, slot.length));
      return replace(entries, 'SHA256SUMS.sig', { data: slot });
    }
    default:
      return changeSums(entries, change);
  }
}

/** Of the text of the sums, line by line or a byte of it. */
function changeSums(entries: readonly RawEntry[], { place, other, within, byte, bit }: OfEntries): RawEntry[] {
  const text = dataOf(entries, 'SHA256SUMS');
  const lines = text.toString().trimEnd().split('\n');
  const index = at(place, lines.length);
  const changed = (): string[] => {
    switch (byte % 4) {
      case 0:
        return lines.toSpliced(index, 1);
      case 1:
        return lines.with(index, lines[at(other, lines.length)]!);
      default:
        return lines.with(index, lines[index]!.toUpperCase());
    }
  };
  if (byte % 4 < 3) return replace(entries, 'SHA256SUMS', { data: Buffer.from(`${changed().join('\n')}\n`) });
  const copy = Buffer.from(text);
  copy.writeUInt8(copy.readUInt8(at(within, copy.length)) ^ bit, at(within, copy.length));
  return replace(entries, 'SHA256SUMS', { data: copy });
}

function hasFront(entries: readonly RawEntry[]): boolean {
  return ['SHA256SUMS', 'SHA256SUMS.sig'].every((name) => entries.filter((entry) => entry.name === name).length === 1);
}

/** The sums and their signature must be there to be written anew; a slot that was changed stays as it is. */
function signedAgain(entries: readonly RawEntry[], { kind, list }: OfEntries): { entries: readonly RawEntry[]; signed: boolean } {
  if (!hasFront(entries) || kind === 'slot') return { entries, signed: false };
  const names = new Set(entries.map(({ name }) => name));
  const listed = list && kind !== 'sums' && names.size === entries.length;
  return { entries: listed ? relist(entries) : resign(entries), signed: true };
}

/** Signed again it is another file, and the same bundle. */
function isTheSame({ entries, signed }: ReturnType<typeof signedAgain>): boolean {
  const data = dataOf(target.entries, 'SHA256SUMS.sig');
  return signed && putTogether(replace(entries, 'SHA256SUMS.sig', { data })).equals(target.bytes);
}

const change = fc.oneof(
  { weight: 1, arbitrary: fc.record({ file: ofFile }) },
  { weight: 3, arbitrary: fc.record({ entries: fc.array(ofEntries, { minLength: 1, maxLength: 2 }) }) },
);

test('mutated bundles: none is accepted, and every rule refuses some', { timeout: 600_000 }, async () => {
  const tally = await fuzz(target, change, (made): Mutant | undefined => {
    if ('file' in made) return { bytes: changeFile(target.bytes, made.file), signed: false };
    let entries: readonly RawEntry[] = target.entries;
    for (const one of made.entries) {
      if (!hasFront(entries)) break;
      entries = changeEntries(entries, one) ?? entries;
    }
    const last = made.entries.at(-1)!;
    const again = signedAgain(entries, last);
    return isTheSame(again) ? undefined : { bytes: putTogether(again.entries), signed: again.signed };
  });
  expectAllRules(tally, [
    'BUNDLE_DIGEST_MISMATCH 2',
    'BUNDLE_ENTRY_DUPLICATE 1.2',
    'BUNDLE_ENTRY_MISSING 7',
    'BUNDLE_ENTRY_TOO_LARGE 8',
    'BUNDLE_ENTRY_UNKNOWN 1.2',
    'BUNDLE_ENTRY_UNLISTED 1.2',
    'BUNDLE_HEADER 1.1',
    'BUNDLE_LAYOUT_INVALID 5',
    'BUNDLE_MANIFEST_INVALID', // another entry under its name
    'BUNDLE_MANIFEST_INVALID 4.3',
    'BUNDLE_ORDER 1.2',
    'BUNDLE_PADDING 1.3',
    'BUNDLE_SIZE_MISMATCH 1.3',
    'BUNDLE_SUMS_INVALID 2',
    'BUNDLE_TRAILING_DATA 1.3',
    'BUNDLE_TRUNCATED',
    'KEY_NOT_TRUSTED', // its trust.json is gone
    'SIGNATURE_INVALID',
    'SIGNATURE_MALFORMED 3',
    'TRUST_INVALID 3.1',
  ]);
});
