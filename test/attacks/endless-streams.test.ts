// A file without an end in place of a bundle, or one that is far larger than what is read of it.
import { open, truncate, writeFile } from 'node:fs/promises';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { openBundle } from '../../src/bundle/reader.ts';
import { encodeHeader, paddingOf } from '../../src/bundle/tar.ts';
import { attacked, authorize, carryIn, indexOf } from '../helpers/attack.ts';
import { mtime, putTogether } from '../helpers/forge.ts';
import { watchMemory } from '../helpers/peak-memory.ts';

const target = attacked();

test.each([
  ['/dev/zero', 'BUNDLE_UNREADABLE'],
  ['/dev/urandom', 'BUNDLE_UNREADABLE'],
  ['/proc/self/mem', 'BUNDLE_TRUNCATED'], // it says that it is a regular file of no bytes
])('%s', async (path, code) => {
  await expect(openBundle(path, { authorize })).rejects.toMatchObject({ code });
});
test('a pipe into which nobody writes: it does not wait', async () => {
  const path = target.folder.file('pipe');
  await execa`mkfifo ${path}`;
  await expect(openBundle(path, { authorize })).rejects.toMatchObject({ code: 'BUNDLE_UNREADABLE' });
});
test('eight tebibytes of nothing behind the archive: its end is looked for where it must be', async () => {
  const path = target.folder.file('sparse.tar');
  await writeFile(path, target.bytes);
  await truncate(path, 2 ** 43);
  await expect(carryIn(path, target.folder.file('store'))).rejects.toMatchObject({ code: 'BUNDLE_TRAILING_DATA' });
});
test('nothing but zeros', async () => {
  const path = target.folder.file('zeros.tar');
  await writeFile(path, '');
  await truncate(path, 2 ** 43);
  await expect(openBundle(path, { authorize })).rejects.toMatchObject({ code: 'BUNDLE_HEADER' });
});

test.each([
  ['SHA256SUMS', 'BUNDLE_ENTRY_TOO_LARGE'],
  ['SHA256SUMS.sig', 'BUNDLE_ENTRY_TOO_LARGE'],
  ['bundle.json', 'BUNDLE_ENTRY_TOO_LARGE'],
  ['README.md', 'BUNDLE_SIZE_MISMATCH'],
  ['the last layer', 'BUNDLE_SIZE_MISMATCH'],
])('%s of seven gibibytes, all of them there: not one is read', async (name, code) => {
  const size = 7 * 2 ** 30;
  const place = name === 'the last layer' ? target.entries.length - 1 : indexOf(target, name);
  const front = putTogether(target.entries.slice(0, place), Buffer.alloc(0));
  const header = encodeHeader({ name: target.entries[place]?.name ?? '', size, mtime });
  const path = target.folder.file('sparse.tar');
  await writeFile(path, Buffer.concat([front, header]));
  await truncate(path, front.length + 512 + size + paddingOf(size));
  const file = await open(path, 'a');
  await file.writeFile(putTogether(target.entries.slice(place + 1)));
  await file.close();
  const grown = watchMemory();
  await expect(carryIn(path, target.folder.file('store'))).rejects.toMatchObject({ code });
  expect(grown()).toBeLessThan(16 * 2 ** 20);
});
