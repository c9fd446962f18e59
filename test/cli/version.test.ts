import { writeFile } from 'node:fs/promises';
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
  const { code, stdout } = await airdock(['--version'], { self });
  expect(code).toBe(0);
  expect(stdout.split('\n').map((line) => line.trim().split(/ +/))).toEqual([
    ['airdock', packageJson.version],
    ['revision', 'abc123'],
    ['node', process.versions.node],
    ['executable', digestOf('program')],
    [''],
  ]);
  const json = versionDocument.parse(JSON.parse((await airdock(['--version', '--json'], { self })).stdout));
  expect(json).toMatchObject({ version: packageJson.version, revision: 'abc123', executable: digestOf('program') });
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
