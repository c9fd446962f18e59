import { readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { versionDocument } from '../../src/cli/documents/version.ts';
import { digestOf } from '../../src/digest.ts';
import { temporaryFolder } from '../helpers/bundle.ts';
import { airdock } from '../helpers/cli.ts';

test('--version: version, revision, Node and the digest of the executable', async () => {
  await using folder = await temporaryFolder();
  await writeFile(folder.file('airdock'), 'program');
  const self = { revision: 'abc123', executable: folder.file('airdock') };
  const env = { HOME: folder.path };
  const { code, stdout } = await airdock(['--version'], { self, env });
  expect(code).toBe(0);
  expect(stdout.split('\n').map((line) => line.trim().split(/ +/))).toEqual([
    ['airdock', packageJson.version],
    ['revision', 'abc123'],
    ['node', process.versions.node],
    ['executable', digestOf('program')],
    [''],
  ]);
  const json = versionDocument.parse(JSON.parse((await airdock(['--version', '--json'], { self, env })).stdout));
  expect(json).toMatchObject({ version: packageJson.version, revision: 'abc123', executable: digestOf('program') });
});

test('the digest is remembered for that very file, and a changed one is hashed again', async () => {
  await using folder = await temporaryFolder();
  const options = { self: { executable: folder.file('airdock') }, env: { XDG_CACHE_HOME: folder.file('cache') } };
  const shown = async (): Promise<string> => (await airdock(['--version'], options)).stdout;
  await writeFile(folder.file('airdock'), 'program');
  expect(await shown()).toContain(digestOf('program'));
  const note = folder.file('cache/airdock/self');
  const [identity] = (await readFile(note, 'utf8')).split(' ');
  // what is remembered is what is shown
  await writeFile(note, `${identity} ${digestOf('remembered')}`);
  expect(await shown()).toContain(digestOf('remembered'));
  // as long, and with the old time of modification: the change is seen all the same
  const { atime, mtime } = await stat(folder.file('airdock'));
  await writeFile(folder.file('airdock'), 'PROGRAM');
  await utimes(folder.file('airdock'), atime, mtime);
  expect(await shown()).toContain(digestOf('PROGRAM'));
  for (const damaged of ['', 'x', `${identity} sha256:0`]) {
    await writeFile(note, damaged);
    expect(await shown()).toContain(digestOf('PROGRAM'));
  }
});

test('without a place for a cache it is hashed each time', async () => {
  await using folder = await temporaryFolder();
  await writeFile(folder.file('airdock'), 'program');
  const env = { XDG_CACHE_HOME: '/dev/null' };
  const { code, stdout } = await airdock(['--version'], { self: { executable: folder.file('airdock') }, env });
  expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining(digestOf('program')) });
});

test('from a checkout there is no executable', async () => {
  expect((await airdock(['-V'])).stdout).toContain('none: it runs from a checkout');
  expect(JSON.parse((await airdock(['--json', '--version'])).stdout)).toMatchObject({ executable: null });
});

test('licenses: the text of the program; in a checkout without an executable, what to do', async () => {
  expect(await airdock(['licenses'], { self: { licenses: () => 'terms\n' } })).toMatchObject({ code: 0, stdout: 'terms\n' });
  const { code, stderr } = await airdock(['licenses']);
  expect(code).toBe(2);
  expect(stderr).toContain('scripts/build-installer');
});
