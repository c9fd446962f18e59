// NodePad's releases as bundles: built by the real `airdock build`, from the repository's own configuration and templates
// and a loopback registry with the stand-in's images. Built once for a whole run.
import { existsSync } from 'node:fs';
import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { executable } from './airdock.ts';
import { devFolder } from './dev-folder.ts';
import { startRegistry } from './registry.ts';
import { madeOnce, runFolder, runName, sharedFolder } from './run-folder.ts';

const root = join(import.meta.dirname, '../..');
const password = 'for tests only';

export type Releases = {
  /** The bundle of that version. @throws when it was not asked for */
  path(version: string): string;
  /** The public key that signs them, PEM, as a file. */
  readonly trust: string;
  /** The root, and the key set that it signed for that key, which every bundle carries. */
  readonly root: string;
  readonly trustChain: string;
  /** What `airdock build` and `airdock sign` take. */
  readonly key: { readonly file: string; readonly passwordFile: string };
  /** A project directory with the repository's own configuration. */
  readonly project: string;
};

/** What is there already is not built again, by this test file, another one of the run, or a run beside. */
export async function bundles(...versions: string[]): Promise<Releases> {
  const keys = await madeOnce(sharedFolder('releases/keys'), makeKeys);
  const file = (version: string): string => sharedFolder('releases', `nodepad-${version}-linux-amd64.bundle.tar`);
  const releases: Releases = {
    path: (version) => {
      if (!existsSync(file(version))) throw new Error(`bundles() was not asked for ${version}`);
      return file(version);
    },
    trust: join(keys, 'release.pub'),
    root: join(keys, 'root.pub'),
    trustChain: join(keys, 'trust.json'),
    key: { file: join(keys, 'release.key'), passwordFile: join(keys, 'password') },
    project: runFolder('projects/nodepad'),
  };
  await copyProject(releases.project, '0.2.4');
  for (const version of versions) {
    await madeOnce(file(version), async (unfinished) => {
      // 0.5.0 has a configuration of its own
      const project = runFolder('projects', version);
      await copyProject(project, version);
      await withRegistry([version], (address) => build({ ...releases, project }, version, address, unfinished));
    });
  }
  return releases;
}

type Change = { file: string; from: string | RegExp; to: string };

/**
 * A bundle of that version with other small files than the repository's: changes to templates or configuration.
 * @throws when a text to change is not there
 */
export async function variant(
  name: string,
  version: string,
  changes: readonly Change[],
  { keySets = true }: { keySets?: boolean } = {},
): Promise<string> {
  const releases = await bundles(version);
  return madeOnce(sharedFolder('releases', `${name}.bundle.tar`), async (unfinished) => {
    const project = runFolder('projects', name);
    await copyProject(project, version);
    for (const { file, from, to } of changes) {
      const text = await readFile(join(project, file), 'utf8');
      const changed = text.replace(from, to);
      if (changed === text) throw new Error(`${file} has no ${String(from)}`);
      await writeFile(join(project, file), changed);
    }
    const by = { ...releases, project, trustChain: keySets ? releases.trustChain : undefined };
    await withRegistry([version], (address) => build(by, version, address, unfinished));
  });
}

/** Runs `work` while a loopback registry serves the images of these releases, and only then; others may lie there, too. */
export async function withRegistry<T>(versions: readonly string[], work: (address: string) => Promise<T>): Promise<T> {
  const registry = await startRegistry({ name: runName('images'), keepsData: true });
  try {
    const missing = versions.filter((version) => !existsSync(runFolder('pushed', version)));
    if (missing.length > 0) {
      await execa(join(root, 'test/fixtures/nodepad/push-images'), [registry.address, ...missing], { stdin: 'ignore' });
      await mkdir(runFolder('pushed'), { recursive: true });
      for (const version of missing) await writeFile(runFolder('pushed', version), '');
    }
    return await work(registry.address);
  } finally {
    await registry.stop();
  }
}

/** `airdock build` with every registry name led to that address, helm on PATH; throws when it fails. */
export async function build(
  { project, key, trustChain }: Pick<Releases, 'project' | 'key'> & { trustChain: string | undefined },
  version: string,
  address: string,
  output: string,
  env: Record<string, string> = {},
  flags: readonly string[] = [],
): Promise<void> {
  const mirrors = ['ghcr.io', 'docker.io'].flatMap((host) => ['--mirror', `${host}=http://${address}`]);
  const chain = trustChain === undefined ? [] : ['--trust-chain', trustChain];
  const signing = ['--key', key.file, '--key-password-file', key.passwordFile, ...chain];
  const cache = ['--cache-dir', runFolder('cache')];
  await execa(
    await executable(),
    ['build', '--version', version, '--output', output, ...mirrors, ...signing, ...cache, ...flags],
    {
      cwd: project,
      env: { PATH: `${devFolder('helm/4')}:${process.env['PATH'] ?? ''}`, ...env },
      stdin: 'ignore',
    },
  );
}

async function makeKeys(folder: string): Promise<void> {
  await mkdir(folder);
  await writeFile(join(folder, 'password'), `${password}\n`);
  const vendor = async (...args: string[]): Promise<unknown> =>
    execa(await executable(), [...args, '--key-password-file', 'password'], { cwd: folder, stdin: 'ignore' });
  for (const name of ['root', 'release']) await vendor('keygen', '--out', name);
  await vendor('trust', 'rotate', 'trust.json', '--key', 'root.key', '--product', 'nodepad', '--release', 'release.pub');
}

/** The build writes its lock file beside the configuration, so it gets a copy. 0.5.0 asks for 0.4.0 first, the only one that does. */
async function copyProject(project: string, version: string): Promise<void> {
  await mkdir(project, { recursive: true });
  await cp(join(root, 'templates'), join(project, 'templates'), { recursive: true });
  const config = await readFile(join(root, 'bundle.config.ts'), 'utf8');
  const changed = version === '0.5.0' ? config.replace(`from: '>=0.2.0'`, `from: '>=0.4.0'`) : config;
  if (version === '0.5.0' && changed === config) throw new Error('bundle.config.ts has no such upgrade rule');
  await writeFile(join(project, 'bundle.config.ts'), changed);
  await symlink(join(root, 'node_modules'), join(project, 'node_modules')).catch(() => {});
}
