import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { temporaryFolder } from './bundle.ts';
import { madeOnce } from './run-folder.ts';

test('made by the first who asks; the others wait for it', async () => {
  await using folder = await temporaryFolder();
  let times = 0;
  const make = async (unfinished: string): Promise<void> => {
    times++;
    await mkdir(unfinished);
    await new Promise((resolve) => setTimeout(resolve, 50));
    await writeFile(`${unfinished}/content`, 'whole');
  };
  const asked = Array.from({ length: 5 }, async () => readFile(`${await madeOnce(folder.file('a/b'), make)}/content`, 'utf8'));
  expect(await Promise.all(asked)).toEqual(Array(5).fill('whole'));
  expect(times).toBe(1);
  expect(await readdir(folder.file('a'))).toEqual(['b']);
});

test('what failed is not there, and the next one tries again', async () => {
  await using folder = await temporaryFolder();
  const path = folder.file('a');
  const half = async (unfinished: string): Promise<void> => {
    await writeFile(unfinished, 'half');
    throw new Error('no room');
  };
  await expect(madeOnce(path, half)).rejects.toThrow('no room');
  expect(existsSync(path)).toBe(false);
  await madeOnce(path, (unfinished) => writeFile(unfinished, 'whole'));
  expect(await readFile(path, 'utf8')).toBe('whole');
});

test('the lock of a process that is gone holds nobody up', async () => {
  await using folder = await temporaryFolder();
  await writeFile(folder.file('a.lock'), String(2 ** 22 + 1)); // above the highest pid there can be
  await madeOnce(folder.file('a'), (unfinished) => writeFile(unfinished, ''));
  expect(await readdir(folder.path)).toEqual(['a']);
});
