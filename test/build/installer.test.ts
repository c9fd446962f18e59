import { writeFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { installerFiles, type Installers } from '../../src/build/installer.ts';
import { digestOf } from '../../src/digest.ts';
import { temporaryFolder } from '../helpers/bundle.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  folder = await temporaryFolder();
  await writeFile(folder.file('airdock-linux-x64'), elf(62));
  await writeFile(folder.file('airdock-linux-arm64'), elf(183));
});
afterAll(() => folder[Symbol.asyncDispose]());

function elf(machine: number): Buffer {
  // no two places are alike: a piece that is overwritten while gzip still has it shows
  const bytes = Buffer.alloc(16_000_000);
  for (let at = 0; at < bytes.length; at += 4) bytes.writeUInt32LE((at * 2654435761) >>> 0, at);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2], 0);
  bytes.writeUInt16LE(machine, 18);
  return bytes;
}
const from = (changes: Partial<Installers> = {}): Installers => ({
  own: undefined,
  directory: folder.path,
  licenses: () => 'all of them',
  ...changes,
});
async function content({ files }: Awaited<ReturnType<typeof installerFiles>>, name: string): Promise<Buffer> {
  const file = files.get(name);
  if (!file) throw new Error(`no ${name}`);
  return Buffer.isBuffer(file) ? file : Buffer.concat(await Array.fromAsync(file.open()));
}

describe('the installer of a bundle', () => {
  test('the executable of the platform as gzip, with its licences; records say what they are', async () => {
    const made = await installerFiles('linux/arm64', from(), folder.file('cache'));
    const gzip = await content(made, 'bin/airdock-linux-arm64.gz');
    expect(gunzipSync(gzip).equals(elf(183))).toBe(true);
    expect((await content(made, 'bin/airdock-licenses.txt')).toString()).toBe('all of them');
    expect(made.records).toEqual([
      { path: 'bin/airdock-licenses.txt', digest: digestOf('all of them'), size: 11, role: 'licenses' },
      { path: 'bin/airdock-linux-arm64.gz', digest: digestOf(gzip), size: gzip.length, role: 'installer' },
    ]);
  });

  test('the same executable gives the same bytes, from the cache or not', async () => {
    const caches = ['one', 'one', 'two'].map((name) => folder.file(name));
    const records = [];
    for (const cache of caches) records.push((await installerFiles('linux/amd64', from(), cache)).records);
    expect(records[1]).toEqual(records[0]);
    expect(records[2]).toEqual(records[0]);
  });

  test('the running executable is taken for its own platform, the directory for the other', async () => {
    await writeFile(folder.file('airdock'), Buffer.concat([elf(62), Buffer.from('own')]));
    const own = { path: folder.file('airdock'), platform: 'linux/amd64' as const };
    const mine = await installerFiles('linux/amd64', from({ own }), folder.file('cache'));
    expect(
      gunzipSync(await content(mine, 'bin/airdock-linux-x64.gz'))
        .subarray(-3)
        .toString(),
    ).toBe('own');
    const other = await installerFiles('linux/arm64', from({ own }), folder.file('cache'));
    expect(gunzipSync(await content(other, 'bin/airdock-linux-arm64.gz')).equals(elf(183))).toBe(true);
  });

  test('none there: the build ends, with the place and what to do', async () => {
    const missing = installerFiles('linux/amd64', from({ directory: folder.file('nowhere') }), folder.file('cache'));
    await expect(missing).rejects.toMatchObject({
      code: 'INSTALLER_MISSING',
      exitCode: 3,
      message: expect.stringContaining(folder.file('nowhere/airdock-linux-x64')),
      hint: expect.stringMatching(/build-installer.*--no-installer/),
    });
  });

  test.each([
    ['a script', Buffer.from('#!/bin/sh\necho hello from a script\n')],
    ['an executable of another platform', elf(183)],
    ['an empty file', Buffer.alloc(0)],
  ])('%s is refused', async (_what, bytes) => {
    await using other = await temporaryFolder();
    await writeFile(other.file('airdock-linux-x64'), bytes);
    const refused = installerFiles('linux/amd64', from({ directory: other.path }), folder.file('cache'));
    await expect(refused).rejects.toMatchObject({ code: 'INSTALLER_INVALID', exitCode: 3 });
  });

  test('no licences: no bundle', async () => {
    const refused = installerFiles('linux/amd64', from({ licenses: () => undefined }), folder.file('cache'));
    await expect(refused).rejects.toMatchObject({ code: 'INSTALLER_MISSING' });
  });
});
