// bundle.json changed at random, the rest made to follow from it where it can, and all of it signed again with the right key: what
// is refused is refused for what it says. Changes that would make another valid release of it are none here.
import * as fc from 'fast-check';
import { test } from 'vitest';
import { canonicalJson } from '../../src/bundle/canonical.ts';
import { derivedFiles } from '../../src/bundle/layout.ts';
import type { BundleManifest } from '../../src/bundle/manifest.ts';
import { attacked } from '../helpers/attack.ts';
import { dataOf, putTogether, relist, replace } from '../helpers/forge.ts';
import { expectAllRules, fuzz, fuzzed, type Mutant } from '../helpers/fuzz.ts';

const target = attacked({
  ...fuzzed,
  manifest: {
    redis: { service: 'redis', kind: 'state' },
    rehearsal: { env: { A: 'b' }, dependencies: ['redis'] },
    volumes: ['uploads'],
    health: [
      { name: 'api', scope: 'external', url: 'http://127.0.0.1/', status: 200, window: '2s', interval: '500ms', timeout: '60s' },
    ],
  },
});

type Json = null | boolean | number | string | Json[] | { [member: string]: Json };
type Place = { of: Json[] | { [member: string]: Json }; key: string | number; path: string };

/** Every member and element. */
function places(value: Json, path = ''): Place[] {
  if (value === null || typeof value !== 'object') return [];
  const keys: (string | number)[] = Array.isArray(value) ? [...value.keys()] : Object.keys(value);
  return keys.flatMap((key) => {
    const here = `${path}/${Array.isArray(value) ? '*' : key}`;
    return [{ of: value, key, path: here }, ...places((value as Record<string, Json>)[key] ?? null, here)];
  });
}
const valueAt = ({ of, key }: Place): Json => (of as Record<string, Json>)[key] ?? null;

/** What bundle.json may be without. */
const optional = /^\/(requires\/postgres|redis|rehearsal|database\/urlKey)$/;
/** Whose names are the release's own. */
const free = /^\/rehearsal\/env\//;
const sizes = /^\/(files\/\*\/size|images\/\*\/(manifestSize|configSize|layers\/\*\/size))$/;
const digests = /(digest|Digest|diffId)$/;
/** Texts of one form: any letter changed to `!` makes it another. */
const formed =
  /^\/(product|version|created|images\/\*\/(reference|origin)|files\/\*\/(path|role)|migrations\/\*\/(version|class)|platform|schema|health\/\*\/(scope|window|interval|timeout)|redis\/(service|kind)|writers\/\*|traffic\/\*|migration\/service|database\/.*)$/;
const ordered = /^\/(images|files)$/;

const share = fc.noBias(fc.integer({ min: 0, max: 2 ** 30 - 1 }).map((number) => number / 2 ** 30));
const change = fc.record({
  kind: fc.constantFrom(
    'extra',
    'missing',
    'type',
    'size',
    'digest',
    'form',
    'order',
    'twice',
    'number',
    'time',
    'format',
    'text',
    'text',
    'byte',
    'byte',
    'cut',
  ),
  place: share,
  within: share,
  value: fc.constantFrom<Json>(null, true, -1, 0.5, 1e300, '', 'x', [], {}, [null], { a: 1 }),
  byte: fc.integer({ min: 0, max: 255 }),
});
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;
const pick = <T>(list: readonly T[], place: number): T | undefined => list[Math.floor(place * list.length)];

/** Of what it says; undefined where there is nothing to change. */
function changeValue(manifest: Json, { kind, place, within, value, byte }: Change): Json | undefined {
  const all = places(manifest);
  const among = (wanted: (one: Place) => boolean): Place | undefined => pick(all.filter(wanted), place);
  const put = (at: Place | undefined, made: (before: Json) => Json | undefined): Json | undefined => {
    const after = at && made(valueAt(at));
    if (!at || after === undefined || JSON.stringify(after) === JSON.stringify(valueAt(at))) return undefined;
    (at.of as Record<string, Json>)[at.key] = after;
    return manifest;
  };
  switch (kind) {
    case 'extra': {
      const objects = [manifest, ...all.map(valueAt)].filter(
        (one) => one !== null && typeof one === 'object' && !Array.isArray(one),
      );
      const object = pick(objects, place) as { [member: string]: Json };
      if (object === (manifest as { rehearsal: { env: Json } }).rehearsal.env) return undefined;
      object[`x${byte}`] = value;
      return manifest;
    }
    case 'missing': {
      const at = among((one) => !Array.isArray(one.of) && !optional.test(one.path) && !free.test(one.path));
      if (at) delete (at.of as Record<string, Json>)[at.key];
      return manifest;
    }
    case 'type':
      // null, numbers and texts in each other's place; an empty list may be another release's
      return put(
        among((one) => !ordered.test(one.path)),
        (before) =>
          typeof before === typeof value ||
          (Array.isArray(before) === Array.isArray(value) && typeof value === 'object' && value !== null)
            ? undefined
            : value,
      );
    case 'size':
      return put(
        among((one) => sizes.test(one.path)),
        (before) => Number(before) + 1 + byte,
      );
    case 'digest':
      return put(
        among((one) => digests.test(one.path)),
        (before) => {
          const at = 7 + Math.floor(within * 64);
          const text = before as string;
          return `${text.slice(0, at)}${(byte % 16).toString(16)}${text.slice(at + 1)}`;
        },
      );
    case 'form':
      return put(
        among((one) => formed.test(one.path)),
        (before) => {
          const text = before as string;
          const at = Math.floor(within * text.length);
          return `${text.slice(0, at)}!${text.slice(at + 1)}`;
        },
      );
    case 'order':
      return put(
        among((one) => ordered.test(one.path)),
        (before) => (before as Json[]).toReversed(),
      );
    case 'twice':
      return put(
        among((one) => ordered.test(one.path)),
        (before) => {
          const list = before as Json[];
          const at = Math.floor(within * list.length);
          return list.toSpliced(at, 0, list[at] ?? null);
        },
      );
    case 'number':
      return put(
        among((one) => typeof valueAt(one) === 'number'),
        () => pick([-1, 0.5, 1e300, 2 ** 53, -0.1], within),
      );
    case 'time':
      return put(
        among((one) => one.path === '/created'),
        () => `20${10 + (byte % 80)}-01-01T00:00:00Z`,
      );
    default:
      return put(
        among((one) => one.path === '/format'),
        () => (byte === 1 ? undefined : byte),
      );
  }
}

/** Of the text: what is understood stays the same, or nothing is. */
function changeText(text: Buffer, { kind, place, within, byte }: Change): Buffer | undefined {
  const at = Math.floor(place * text.length);
  if (kind === 'cut') return text.subarray(0, at);
  if (kind === 'byte') {
    // a byte of no text: in a string it is read as another character, and written as three bytes
    return Buffer.concat([text.subarray(0, at), Buffer.of(0x80 + (byte % 0x40)), text.subarray(at)]);
  }
  const lines = text.toString().split('\n');
  const index = Math.floor(place * (lines.length - 1));
  const line = lines[index] ?? '';
  const more = pick([' ', '\t', '\r', '\n', '\uFEFF', '//', ',', '"a": 1,'], within) ?? ' ';
  const made = [
    lines.with(index, `${line}${more}`),
    lines.with(index, `${more}${line}`),
    lines.with(
      index,
      line.replace(
        /"(?=[^"]*"[,\n]?$)(.)/,
        (_all, letter: string) => `"\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`,
      ),
    ),
    /^ +"/.test(line) ? lines.toSpliced(index, 0, line) : lines,
    lines.with(index, line.replace(/: (\d+),/, ': $1.0,')),
    lines.with(index, line.replace(/: (\d+),/, ': $1e0,')),
  ][byte % 6]!;
  return Buffer.from(made.join('\n'));
}

test('mutated manifests: none is accepted, and every rule refuses some', { timeout: 600_000 }, async () => {
  const tally = await fuzz(target, change, (made): Mutant | undefined => {
    const good = dataOf(target.entries, 'bundle.json');
    let entries = target.entries;
    if (['text', 'byte', 'cut'].includes(made.kind)) {
      const data = changeText(good, made);
      if (!data || data.equals(good)) return undefined;
      entries = replace(entries, 'bundle.json', { data });
    } else {
      const manifest = changeValue(JSON.parse(good.toString()) as Json, made);
      if (manifest === undefined) return undefined;
      entries = replace(entries, 'bundle.json', { data: canonicalJson(manifest) });
      for (const [name, data] of derived(manifest)) entries = replace(entries, name, { data });
    }
    return { bytes: putTogether(relist(entries)), signed: true };
  });
  expectAllRules(tally, [
    'BUNDLE_FORMAT_UNKNOWN',
    'BUNDLE_HEADER 10',
    'BUNDLE_LAYOUT_INVALID 6',
    'BUNDLE_MANIFEST_INVALID', // its schema
    'BUNDLE_MANIFEST_INVALID 1.2',
    'BUNDLE_MANIFEST_INVALID 4.1',
    'BUNDLE_MANIFEST_INVALID 4.3',
    'BUNDLE_SIZE_MISMATCH 1.3',
  ]);
});

/** Where the images can be understood at all. */
function derived(manifest: Json): Map<string, Buffer> {
  try {
    return derivedFiles((manifest as unknown as BundleManifest).images);
  } catch {
    return new Map();
  }
}
