// A member that is there twice in bundle.json: parsers take the first, the last, or both. Signed each time.
import { expect, test } from 'vitest';
import { attacked, expectRefused } from '../helpers/attack.ts';
import { dataOf, edit, putTogether, relist } from '../helpers/forge.ts';

const target = attacked();

test.each([
  ['the version', '"version": "0.3.0"', '"version": "9.9.9",\n  "version": "0.3.0"'],
  ['the product', '"product": "shop"', '"product": "shop",\n  "product": "shop"'],
  ['the class of a migration', '"class": "expand"', '"class": "none",\n      "class": "expand"'],
  ['a digest of a layer', /("digest": "sha256:[0-9a-f]{64}")/, '$1,\n          $1'],
  ['one that is escaped', '"format": 1', '"form\\u0061t": 1,\n  "format": 1'],
])('%s', async (_what, from, to) => {
  const hostile = edit(target.entries, 'bundle.json', from, to);
  expect(() => JSON.parse(dataOf(hostile, 'bundle.json').toString()) as unknown).not.toThrow();
  await expectRefused(target, putTogether(relist(hostile)), 'BUNDLE_MANIFEST_INVALID');
});
