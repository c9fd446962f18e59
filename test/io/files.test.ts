import {
  chmod,
  chown,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  realpath,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ensureDirectory, fileSystemId, freeBytes, readIfExists, removeTree, replaceFile } from '../../src/io/files.ts';

const root = process.getuid?.() === 0;
let directory: string;
let path: string;
beforeEach(async () => {
  directory = await realpath(await mkdtemp(join(tmpdir(), 'airdock-files-')));
  path = join(directory, '.env');
});
afterEach(() => rm(directory, { recursive: true, force: true }));
const modeOf = async (name: string) => (await stat(name)).mode & 0o777;

describe('replaceFile', () => {
  test('makes a new file for its owner alone', async () => {
    await replaceFile(path, 'A=1\n');
    expect(await readFile(path, 'utf8')).toBe('A=1\n');
    expect(await modeOf(path)).toBe(0o600);
    expect(await readdir(directory)).toEqual(['.env']);
  });

  test('keeps the mode of an existing one unless told', async () => {
    await writeFile(path, 'old');
    await chmod(path, 0o640);
    await replaceFile(path, 'new');
    expect(await modeOf(path)).toBe(0o640);
    await replaceFile(path, 'new', { mode: 0o600 });
    expect(await modeOf(path)).toBe(0o600);
  });

  test.runIf(root)('keeps its owner', async () => {
    await writeFile(path, 'old');
    await chown(path, 1234, 2345);
    await replaceFile(path, 'new');
    expect(await stat(path)).toMatchObject({ uid: 1234, gid: 2345 });
  });

  test('replaces what a link points to; the link stays', async () => {
    const target = join(directory, 'shared', 'env');
    await mkdir(join(directory, 'shared'));
    await writeFile(target, 'old');
    await symlink('shared/env', path);
    await replaceFile(path, 'new');
    expect(await readlink(path)).toBe('shared/env');
    expect((await lstat(target)).isFile()).toBe(true);
    expect(await readFile(target, 'utf8')).toBe('new');
  });

  test('refuses a link to nothing', async () => {
    await symlink('nowhere', path);
    await expect(replaceFile(path, 'new')).rejects.toMatchObject({ code: 'DIRECTORY_UNSAFE' });
  });

  test('is not misled by what a killed run left', async () => {
    await writeFile(join(directory, '..env.airdock-new'), 'half');
    await replaceFile(path, 'new');
    expect(await readdir(directory)).toEqual(['.env']);
  });

  test.runIf(root)('a full disk: DISK_FULL, the old file whole, nothing left', async () => {
    await execa`mount -t tmpfs -o size=64k none ${directory}`;
    try {
      await writeFile(path, 'old');
      await expect(replaceFile(path, Buffer.alloc(200_000))).rejects.toMatchObject({ code: 'DISK_FULL' });
      expect(await readFile(path, 'utf8')).toBe('old');
      expect(await readdir(directory)).toEqual(['.env']);
    } finally {
      await execa`umount ${directory}`;
    }
  });
});

test('ensureDirectory says what it made', async () => {
  const inner = join(directory, 'a', 'b');
  expect(await ensureDirectory(inner)).toBe(join(directory, 'a'));
  expect(await modeOf(inner)).toBe(0o700);
  expect(await ensureDirectory(inner, 0o755)).toBeUndefined();
  expect(await modeOf(inner)).toBe(0o700);
});

test('file systems are asked about paths that are not there yet', async () => {
  const absent = join(directory, 'x', 'y');
  expect(await freeBytes(absent)).toBeGreaterThan(0);
  expect(await fileSystemId(absent)).toBe(await fileSystemId(directory));
  expect(await fileSystemId('/proc')).not.toBe(await fileSystemId(directory));
});

test('absent is fine', async () => {
  expect(await readIfExists(path)).toBeUndefined();
  expect(await readIfExists(join(path, 'below'))).toBeUndefined();
  await removeTree(path);
});
