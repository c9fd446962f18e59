// build.ts OUTPUT ARCH...: the work of scripts/build-installer, once Node and the packages are installed
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { bundleSources, type Bundled } from './bundle.ts';
import { licensesText } from './licenses.ts';
import { withLoader, writeParts } from './parts.ts';
import { nodeBinary, type Arch, type NodeBinary } from './node-binary.ts';

const root = join(import.meta.dirname, '../..');
const [output = '', ...names] = process.argv.slice(2);
const arches = names as Arch[];
const cache = join(
  process.env['AIRDOCK_DEV'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'airdock-dev'),
  'installer',
);

const revision = await sourceRevision();
const current = await fingerprint();
const stale: Arch[] = [];
for (const arch of arches) if (!(await isCurrent(arch))) stale.push(arch);
if (stale.length > 0) {
  const bundled = await bundleSources(root);
  for (const arch of stale) await make(arch, bundled, await nodeBinary(root, arch, cache));
}
for (const arch of arches) console.log(join(output, `airdock-linux-${arch}`));

async function make(arch: Arch, bundled: Bundled, node: NodeBinary): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'airdock-installer-'));
  try {
    const licenses = await licensesText(root, bundled.modules, node);
    await writeFile(join(folder, 'main.cjs'), withLoader(bundled.main));
    await writeFile(join(folder, 'licenses.txt'), licenses);
    await writeFile(join(folder, 'about.json'), JSON.stringify({ revision }));
    const execArgv = ['--disable-warning=ExperimentalWarning', '--max-semi-space-size=1'];
    // a code cache is useless for the V8 of another architecture
    const compiled = arch === process.arch;
    const parts = await writeParts(folder, bundled.parts, compiled ? execArgv : undefined);
    // relative names, so that paths of this machine do not become part of the executable
    const config = {
      main: 'main.cjs',
      executable: node.path,
      output: 'airdock',
      disableExperimentalSEAWarning: true,
      useCodeCache: compiled,
      execArgv,
      assets: Object.fromEntries(['licenses.txt', 'about.json', ...parts].map((name) => [name, name])),
    };
    await writeFile(join(folder, 'sea.json'), JSON.stringify(config));
    await execa(process.execPath, ['--predictable', '--build-sea', 'sea.json'], { cwd: folder });
    if (arch === process.arch) await execa(join(folder, 'airdock'), ['--version']);
    const name = `airdock-linux-${arch}`;
    for (const [from, to] of [
      ['airdock', name],
      ['licenses.txt', 'airdock-licenses.txt'],
    ] as const) {
      await execa('cp', [join(folder, from), join(output, `${to}.new`)]);
      await rename(join(output, `${to}.new`), join(output, to));
    }
    await writeFile(join(output, `.${name}`), current);
    const { size } = await stat(join(output, name));
    console.error(`build-installer: ${name}, ${(size / 1e6).toFixed(1)} MB, Node ${node.version}`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function isCurrent(arch: Arch): Promise<boolean> {
  const files = [`airdock-linux-${arch}`, 'airdock-licenses.txt'].map((name) => join(output, name));
  return (
    files.every((path) => existsSync(path)) &&
    (await readFile(join(output, `.airdock-linux-${arch}`), 'utf8').catch(() => '')) === current
  );
}

/** Commit of the sources, with `-dirty` when they were changed since; '' outside of git. */
async function sourceRevision(): Promise<string> {
  const git = (...args: string[]) => execa('git', args, { cwd: root, reject: false });
  const head = await git('rev-parse', 'HEAD');
  if (head.exitCode !== 0) return '';
  const changed = await git('status', '--porcelain', '--', 'src', 'scripts/installer', 'package.json', 'package-lock.json');
  return `${head.stdout}${changed.stdout === '' ? '' : '-dirty'}`;
}

async function fingerprint(): Promise<string> {
  const hash = createHash('sha256').update(`${revision}\n${process.version}\n`);
  for (const folder of ['src', 'scripts/installer']) {
    const files = (await readdir(join(root, folder), { recursive: true })).filter((name) => name.endsWith('.ts'));
    for (const name of files.toSorted()) hash.update(`${name}\n`).update(await readFile(join(root, folder, name)));
  }
  for (const name of ['package.json', 'package-lock.json', 'LICENSE']) hash.update(await readFile(join(root, name)));
  return hash.digest('hex');
}
