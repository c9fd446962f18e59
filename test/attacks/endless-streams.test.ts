// A file without an end in place of a bundle, or one that is far larger than what was read of it.
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { truncate, writeFile } from 'node:fs/promises';
import { openBundle } from '../../src/bundle/reader.ts';
import { attacked, authorize, carryIn } from '../helpers/attack.ts';

const target = attacked();

test.each(['/dev/zero', '/dev/urandom', '/proc/self/mem'])('%s', async (path) => {
  await expect(openBundle(path, { authorize })).rejects.toMatchObject({ exitCode: 4 });
});
test('a pipe into which nobody writes: it does not wait', async () => {
  const path = target.folder.file('pipe');
  await execa`mkfifo ${path}`;
  await expect(openBundle(path, { authorize })).rejects.toMatchObject({ code: 'BUNDLE_UNREADABLE' });
});
test('an exabyte of nothing behind the archive: its end is looked for where it must be', async () => {
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
