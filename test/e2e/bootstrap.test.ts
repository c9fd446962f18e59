// Guarantee 7: a stick, Docker, and nothing else. The commands of the operator's guide are run as they are printed there, on a
// disconnected host where no Node, no checkout and no node_modules can be seen.
import { createHash } from 'node:crypto';
import { appendFile, cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { executable } from '../helpers/airdock.ts';
import { putTogether, takeApart, type RawEntry } from '../helpers/forge.ts';
import { startHost, type Host } from '../helpers/host.ts';
import { answering, emptied, healthy, opt } from '../helpers/deployment.ts';
import { build, bundles, withRegistry } from '../helpers/releases.ts';
import { runFolder, runName } from '../helpers/run-folder.ts';

const root = join(import.meta.dirname, '../..');
const directory = opt();
const stick = runFolder('stick');
const installer = 'bin/airdock-linux-x64.gz';
const bundle = 'nodepad-0.2.4-linux-amd64.bundle.tar';
let host: Host;
let releases: Awaited<ReturnType<typeof bundles>>;

beforeAll(async () => {
  releases = await bundles('0.2.4');
  host = await startHost({ name: runName('vm') });
});
afterAll(() => host?.stop());
beforeEach(async () => {
  await rm(stick, { recursive: true, force: true });
  await mkdir(stick, { recursive: true });
  await cp(releases.trust, join(stick, 'release.pub'));
});

/** The two blocks of the guide's first section that need the bundle, a command each. */
async function printed(): Promise<string[]> {
  const guide = await readFile(join(root, 'templates/README.md'), 'utf8');
  const section = guide.slice(guide.indexOf('## 1. '), guide.indexOf('## 2. '));
  const blocks = [...section.matchAll(/```\n([^]*?)```/g)]
    .map(([, block = '']) => block)
    .filter((block) => block.includes('FILE'));
  expect(blocks).toHaveLength(2);
  return blocks
    .join('')
    .split(/(?<!\|)\n(?! )/)
    .filter(Boolean)
    .map((command) => command.replaceAll('FILE', bundle));
}

type Answer = { command: string; output: string; exitCode: number };

/** One shell, as a person has it: each command with what it printed, whatever became of the one before. */
async function typed(commands: readonly string[], flags: readonly string[] = []): Promise<Answer[]> {
  const script = [`cd '${stick}'`, ...commands.map((command) => `{ ${command}\n}; echo "@@@ $?"`)].join('\n');
  const { stdout, stderr, exitCode } = await host.exec([
    join(root, 'scripts/bare'),
    ...flags,
    'bash',
    '-c',
    `exec 2>&1\n${script}`,
  ]);
  expect(exitCode, stderr).toBe(0);
  const parts = stdout.split(/@@@ (\d+)\n/);
  return commands.map((command, index) => ({ command, output: parts[2 * index] ?? '', exitCode: Number(parts[2 * index + 1]) }));
}
const find = (answers: readonly Answer[], text: string): Answer => {
  const found = answers.find(({ command }) => command.includes(text));
  if (!found) throw new Error(`the guide has no command with ${text}`);
  return found;
};

async function sha256(path: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
}

describe('the commands of the guide, as printed', () => {
  test('from a stick with a bundle and a public key to NodePad, an upgrade by the installer that lies there, and back', async () => {
    await emptied(host, [directory]);
    await cp(releases.path('0.2.4'), join(stick, bundle));
    const airdock = `${directory}/.airdock/bin/airdock`;
    const version = (file: string): string => `${file} --version | grep -o 'sha256:.*'`;
    const answers = await typed(
      [
        `find / -xdev -path ${join(runFolder(), '..')} -prune -o -type f -perm /111 \\( -name node -o -name nodejs \\) -print`,
        `ls ${root}; type -a node nodejs npm`,
        ...(await printed()),
        `./airdock install ${bundle} --dir ${directory} --trust release.pub --yes --set NODEPAD_PUBLIC_URL=http://nodepad.example:8080`,
        version('./airdock'),
        version(airdock),
        `${airdock} status --dir ${directory}`,
      ],
      ['--everywhere'],
    );
    expect(answers[0]).toMatchObject({ output: '' });
    expect(answers[1]?.output.replace(/^bash: .*not found\n/gm, '')).toBe('');
    for (const { command, output, exitCode } of answers.slice(2)) {
      const quiet = command.includes('must print nothing');
      expect(quiet ? output : exitCode, `${command}\n${output}`).toBe(quiet ? '' : 0);
    }
    expect(find(answers, 'openssl dgst').output).toBe('Verified OK\n');
    expect(find(answers, 'verify --self').output).toContain(
      `This program is the one that it carries: sha256:${await sha256(await executable())}`,
    );
    expect(await answering(host, directory)).toBe('0.2.4');
    expect(find(answers, `${airdock} --version`).output).toBe(`sha256:${await sha256(join(stick, 'airdock'))}\n`);

    // a release that was built with another airdock, installed by the one that lies there
    const next = await withOtherInstaller();
    await cp(next.bundle, join(stick, 'next.tar'));
    const upgrade = await typed([
      `${airdock} install next.tar --dir ${directory} --yes`,
      version(airdock),
      `${airdock} rollback 0.2.4 --dir ${directory} --yes`,
      version(airdock),
      `${airdock} history --dir ${directory}`,
    ]);
    for (const { command, output, exitCode } of upgrade) expect(exitCode, `${command}\n${output}`).toBe(0);
    expect(upgrade[1]?.output).toBe(`sha256:${next.digest}\n`);
    // the way back keeps the newer installer: it knows the records
    expect(upgrade[3]?.output).toBe(`sha256:${next.digest}\n`);
    await healthy(host, directory, '0.2.4');
  });

  test.each([
    ['before', (entries: RawEntry[], planted: RawEntry) => around(entries, planted, 0)],
    ['behind', (entries: RawEntry[], planted: RawEntry) => around(entries, planted, 1)],
  ])('an installer planted %s the signed one is refused', async (where, plant) => {
    const evil = { name: installer, data: Buffer.from('#!/bin/sh\necho evil\n') };
    await writeFile(join(stick, bundle), putTogether(plant(await takeApart(releases.path('0.2.4')), evil)));
    const answers = await typed((await printed()).filter((command) => !command.startsWith('./airdock')));
    expect(answers[0]).toMatchObject({ command: expect.stringContaining('must print nothing'), output: `${installer}\n` });
    // and for who does not look: the file that was checked is the one that is taken, or the check fails
    const checked = find(answers, 'sha256sum -c').output === '';
    const signed = (await sha256(join(stick, 'airdock'))) === (await sha256(await executable()));
    expect({ where, checked, signed }).toEqual({ where, checked: where === 'before', signed: where === 'before' });
  });
});

function around(entries: RawEntry[], planted: RawEntry, offset: number): RawEntry[] {
  const place = entries.findIndex(({ name }) => name === installer) + offset;
  return entries.toSpliced(place, 0, planted);
}

/** 0.3.0 with an executable of other bytes, which runs the same. */
async function withOtherInstaller(): Promise<{ bundle: string; digest: string }> {
  const folder = runFolder('other-installer');
  await mkdir(folder, { recursive: true });
  const file = join(folder, 'airdock-linux-x64');
  await cp(await executable(), file);
  await appendFile(file, 'another build');
  const output = join(folder, 'next.tar');
  await withRegistry(['0.3.0'], (address) => build(releases, '0.3.0', address, output, {}, ['--installers', folder]));
  return { bundle: output, digest: await sha256(file) };
}
