import { describe, expect, test } from 'vitest';
import { canonicalJson } from '../../src/bundle/canonical.ts';
import { encodeManifest, parseManifest } from '../../src/bundle/manifest-codec.ts';
import { makeRelease } from '../helpers/bundle.ts';

const { manifest } = makeRelease();
const bytes = encodeManifest(manifest);
const text = bytes.toString();
const invalid = expect.objectContaining({ code: 'BUNDLE_MANIFEST_INVALID' });

describe('FORMAT.md 4, bundle.json', () => {
  test('reads back what was written', () => {
    expect(parseManifest(bytes)).toEqual(manifest);
    expect(text.endsWith('}\n')).toBe(true);
  });

  test('the canonical form does not depend on the order of members', () => {
    const reversed = Object.fromEntries(Object.entries(manifest).toReversed());
    expect(canonicalJson(reversed).equals(bytes)).toBe(true);
    expect(canonicalJson({ b: 1, 10: 2, 9: undefined, a: [] }).toString()).toBe('{\n  "10": 2,\n  "a": [],\n  "b": 1\n}\n');
  });

  test.each([
    ['a duplicate member', text.replace('"product": "shop"', '"product": "evil",\n  "product": "shop"')],
    ['another indentation', JSON.stringify(JSON.parse(text))],
    ['members in another order', `${JSON.stringify(manifest, undefined, 2)}\n`],
    ['no last newline', text.trimEnd()],
    ['a byte order mark', `\ufeff${text}`],
    ['another number form', text.replace('"postgres": 15', '"postgres": 15.0')],
    ['another escape', text.replace('"shop"', String.raw`"\u0073hop"`)],
    ['an unknown member', text.replace('"product"', '"productX": 1,\n  "product"')],
    ['a missing member', text.replace(/ {2}"product": "shop",\n/, '')],
    ['a digest of another kind', text.replace('"sha256:', '"sha512:')],
    ['a version that is none', text.replace('"version": "0.3.0"\n', '"version": "v0.3"\n')],
    ['fractions of a second', text.replace('02:14:00Z', '02:14:00.5Z')],
    ['no JSON', '{'],
    ['an invalid byte', Buffer.from([...bytes.subarray(0, 20), 0xff, ...bytes.subarray(21)])],
  ])('%s is refused', (_what, changed) => {
    const given = Buffer.from(changed);
    expect(given.equals(bytes)).toBe(false);
    expect(() => parseManifest(given)).toThrow(invalid);
  });

  test('a member called __proto__ is not overlooked', () => {
    const health = [
      {
        name: 'api',
        scope: 'external',
        url: 'x',
        status: 200,
        json: { status: 'ok' },
        window: '1s',
        interval: '1s',
        timeout: '1s',
      },
    ];
    const forged = canonicalJson({ ...manifest, health })
      .toString()
      .replace('"status": "ok"', '"__proto__": "x",\n        "status": "ok"');
    expect(() => parseManifest(Buffer.from(forged))).toThrow(invalid);
  });

  test.each(['2', '0', '"1"', 'null'])('format %s gets a sentence', (format) => {
    const other = Buffer.from(text.replace('"format": 1', `"format": ${format}`));
    expect(() => parseManifest(other)).toThrow(
      expect.objectContaining({ code: 'BUNDLE_FORMAT_UNKNOWN', message: expect.stringContaining('reads format 1') as string }),
    );
  });
});
