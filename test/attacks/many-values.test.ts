// JSON that is short to write and long to understand: two million empty objects in four mebibytes, each with its complaints.
import { writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { openBundle } from '../../src/bundle/reader.ts';
import { AirdockError } from '../../src/errors.ts';
import { attacked, authorize, expectRefused } from '../helpers/attack.ts';
import { makeImage, writeTestBundle } from '../helpers/bundle.ts';
import { edit, putTogether, relist } from '../helpers/forge.ts';
import { digestOf } from '../../src/digest.ts';
import { watchMemory } from '../helpers/peak-memory.ts';

const target = attacked();
const limit = 192 * 2 ** 20;
const manifestWith = (from: string, to: string) => putTogether(relist(edit(target.entries, 'bundle.json', from, to)));

test.each([
  ['empty objects', '"files": [', `"files": [${'{},'.repeat(1_300_000)}`, 'BUNDLE_ENTRY_TOO_LARGE'],
  ['numbers', '"images": [', `"images": [${'0,'.repeat(2_000_000)}`, 'BUNDLE_ENTRY_TOO_LARGE'],
  ['lists in lists', '"format": 1', `"format": ${'['.repeat(2_000_000)}${']'.repeat(2_000_000)}`, 'BUNDLE_ENTRY_TOO_LARGE'],
  ['as many empty objects as there may be', '"files": [', `"files": [${'{},'.repeat(14_900)}`, 'BUNDLE_MANIFEST_INVALID'],
])('bundle.json with %s, signed', { timeout: 120_000 }, async (_what, from, to, code) => {
  const hostile = manifestWith(from, to);
  const grown = watchMemory();
  await expectRefused(target, hostile, code);
  expect(grown()).toBeLessThan(limit);
});

test.each([
  ['thousands of wrong members', '"writers": [', `"writers": [${'0,'.repeat(20_000)}`],
  ['a long name of an unknown member', '"product"', `"${'x'.repeat(2 ** 20)}": 1,\n  "product"`],
  ['a long format', '"format": 1', `"format": "${'x'.repeat(2 ** 20)}"`],
])('%s: the sentence stays short', async (_what, from, to) => {
  const path = target.folder.file('long.tar');
  await writeFile(path, manifestWith(from, to));
  const error: unknown = await openBundle(path, { authorize }).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(AirdockError);
  expect((error as AirdockError).message.length).toBeLessThan(2000);
});

test('an image whose manifest has two million layers', { timeout: 120_000 }, async () => {
  const { record, blobs } = makeImage('example.org/app:1', ['one']);
  const text = Buffer.from(
    blobs
      .get(record.manifestDigest)!
      .toString()
      .replace('"layers":[', `"layers":[${'0,'.repeat(2_000_000)}`),
  );
  const forged = { ...record, manifestDigest: digestOf(text), manifestSize: text.length };
  const others = [...blobs].filter(([digest]) => digest !== record.manifestDigest);
  const path = target.folder.file('image.tar');
  await writeTestBundle(path, { images: [{ record: forged, blobs: new Map([...others, [digestOf(text), text]]) }] });
  const grown = watchMemory();
  await expect(openBundle(path, { authorize })).rejects.toMatchObject({ code: 'BUNDLE_ENTRY_TOO_LARGE' });
  expect(grown()).toBeLessThan(limit);
});
