import { cp, mkdir, symlink } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { fileDigest } from '../../src/digest.ts';
import { temporaryFolder } from '../helpers/bundle.ts';

const root = path.join(import.meta.dirname, '../..');

test('the same sources give the same executable, wherever they lie and whenever it is built', { timeout: 240_000 }, async () => {
  await using folder = await temporaryFolder();
  const digests: string[] = [];
  for (const [checkout, date] of [
    ['one', '2026-01-01 00:00:00'],
    ['a checkout with a longer name/two', '2027-06-15 12:34:56'],
  ] as const) {
    const copy = folder.file(checkout);
    await mkdir(copy, { recursive: true });
    for (const name of ['src', 'scripts', 'package.json', 'package-lock.json', 'LICENSE'])
      await cp(path.join(root, name), path.join(copy, name), { recursive: true });
    await execa('find', [copy, '-exec', 'touch', '-d', date, '{}', '+']);
    await symlink(path.join(root, 'node_modules'), path.join(copy, 'node_modules'));
    const output = path.join(copy, 'dist');
    await mkdir(output);
    // outside of git there is no revision: that of this checkout may be dirty
    const env = { GIT_CEILING_DIRECTORIES: folder.path };
    await execa(process.execPath, [path.join(copy, 'scripts/installer/build.ts'), output, 'x64'], { cwd: copy, env });
    digests.push(
      await fileDigest(path.join(output, 'airdock-linux-x64')),
      await fileDigest(path.join(output, 'airdock-licenses.txt')),
    );
  }
  expect(digests.slice(2)).toEqual(digests.slice(0, 2));
});
