// A manifest that says the same in another form, or more than its schema knows. Signed each time.
import { expect, test } from 'vitest';
import { attacked, expectRefused } from '../helpers/attack.ts';
import { dataOf, edit, putTogether, relist, replace } from '../helpers/forge.ts';

const target = attacked();
const changed = (change: (text: string) => string) => {
  const text = dataOf(target.entries, 'bundle.json').toString();
  expect(change(text)).not.toBe(text);
  return putTogether(relist(replace(target.entries, 'bundle.json', { data: Buffer.from(change(text)) })));
};

test.each<[string, (text: string) => string]>([
  ['other indentation', (text) => text.replace('  ', '   ')],
  ['no newline at the end', (text) => text.trimEnd()],
  ['two newlines', (text) => `${text}\n`],
  ['one line', (text) => JSON.stringify(JSON.parse(text))],
  [
    'members in another order',
    (text) =>
      text.replace(/^ {2}"product": .*\n {2}"version": .*\n/m, '').replace('{', '{\n  "version": "0.3.0", "product": "shop",'),
  ],
  ['another form of a number', (text) => text.replace('"format": 1', '"format": 1.0')],
  ['an escaped letter', (text) => text.replace('"shop"', '"sh\\u006fp"')],
  ['a byte order mark', (text) => `\uFEFF${text}`],
  ['an unknown member', (text) => text.replace('"product"', '"extra": 1,\n  "product"')],
  ['a prototype', (text) => text.replace('"product"', '"__proto__": { "format": 1 },\n  "product"')],
  ['a comment', (text) => text.replace('{', '{ // harmless')],
  ['nothing', () => ''],
])('%s', (_what, change) => expectRefused(target, changed(change), 'BUNDLE_MANIFEST_INVALID'));

test.each(['[]\n', 'null\n', '"x"\n', '1\n'])('something else, %j: it has no format', (text) =>
  expectRefused(
    target,
    changed(() => text),
    'BUNDLE_FORMAT_UNKNOWN',
  ),
);

test('of a format to come: it is said which one this airdock reads', () =>
  expectRefused(
    target,
    putTogether(relist(edit(target.entries, 'bundle.json', '"format": 1', '"format": 2'))),
    'BUNDLE_FORMAT_UNKNOWN',
  ));
