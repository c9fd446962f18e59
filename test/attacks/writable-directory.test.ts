// A --dir that others can write to, or swap for another: they would choose what root runs.
import { chmod, chown, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { assertDirectorySafe } from '../../src/io/files.ts';
import { temporaryFolder } from '../helpers/bundle.ts';

const root = process.getuid?.() === 0;
let directory: string;
beforeEach(async () => {
  directory = (await temporaryFolder()).path;
});
afterEach(() => rm(directory, { recursive: true }));

test('a directory that only its owner can write to', async () => {
  await chmod(directory, 0o755);
  await expect(assertDirectorySafe(directory)).resolves.toBeUndefined();
});

test.each([0o775, 0o757, 0o777])('mode %o is refused', async (mode) => {
  await chmod(directory, mode);
  await expect(assertDirectorySafe(directory)).rejects.toMatchObject({ code: 'DIRECTORY_UNSAFE' });
});

test('a parent that anyone can write to is refused, /tmp is not', async () => {
  const inner = join(directory, 'open', 'inner');
  await mkdir(inner, { recursive: true });
  await chmod(join(directory, 'open'), 0o777);
  await expect(assertDirectorySafe(inner)).rejects.toMatchObject({ message: expect.stringContaining('/open') as string });
  await chmod(join(directory, 'open'), 0o1777);
  await expect(assertDirectorySafe(inner)).resolves.toBeUndefined();
});

test.runIf(root)("root's directory in somebody else's is refused", async () => {
  const inner = join(directory, 'inner');
  await mkdir(inner);
  await chown(directory, 1234, 1234);
  await expect(assertDirectorySafe(inner)).rejects.toMatchObject({ code: 'DIRECTORY_UNSAFE' });
  await chown(inner, 1234, 1234);
  await expect(assertDirectorySafe(inner)).resolves.toBeUndefined();
});
