// A blob that is good somewhere else: in another release of the product, or in another place of this one.
import { expect, test } from 'vitest';
import { attacked, expectRefused, layerOf } from '../helpers/attack.ts';
import { writeTestBundle } from '../helpers/bundle.ts';
import { dataOf, putTogether, replace, takeApart } from '../helpers/forge.ts';

const target = attacked();
const other = async () => {
  await writeTestBundle(target.folder.file('other.tar'), { version: '0.4.0' });
  return takeApart(target.folder.file('other.tar'));
};

test('under its own name, in place of one of this release', async () => {
  const names = new Set(target.entries.map(({ name }) => name));
  const foreign = (await other()).find(({ name }) => name.startsWith('blobs/') && !names.has(name));
  expect(foreign).toBeDefined();
  const entries = target.entries.map((entry) => (entry.name === layerOf(target) ? (foreign ?? entry) : entry));
  await expectRefused(target, putTogether(entries), 'BUNDLE_ENTRY_UNLISTED');
});
test('its bytes under the name of one of this release', async () => {
  const size = dataOf(target.entries, layerOf(target)).length;
  const names = new Set(target.entries.map(({ name }) => name));
  const foreign = (await other()).find(({ name, data }) => name.startsWith('blobs/') && !names.has(name) && data.length === size);
  expect(foreign).toBeDefined();
  const hostile = replace(target.entries, layerOf(target), { data: foreign?.data ?? Buffer.alloc(0) });
  await expectRefused(target, putTogether(hostile), 'BUNDLE_DIGEST_MISMATCH');
});
test('the compose file of another release', async () => {
  const data = dataOf(await other(), 'compose.yaml');
  await expectRefused(target, putTogether(replace(target.entries, 'compose.yaml', { data })), 'BUNDLE_DIGEST_MISMATCH');
});
test.each(['SHA256SUMS', 'SHA256SUMS.sig'])('%s of another release, signed by the same key', async (name) => {
  const data = dataOf(await other(), name);
  await expectRefused(target, putTogether(replace(target.entries, name, { data })), 'SIGNATURE_INVALID');
});
test('sums and signature of another release', async () => {
  const foreign = await other();
  const both = ['SHA256SUMS', 'SHA256SUMS.sig'].reduce(
    (entries, name) => replace(entries, name, { data: dataOf(foreign, name) }),
    target.entries,
  );
  await expectRefused(target, putTogether(both), 'BUNDLE_DIGEST_MISMATCH');
});
