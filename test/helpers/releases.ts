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
const fixtures = join(root, 'test/fixtures');
const password = 'for tests only';

/** What is built here: NodePad's stand-in, or pad, which is small and for what needs an application but not Django. */
export type Product = {
  readonly name: 'nodepad' | 'pad';
  /** Has templates/ and bundle.config.ts. */
  readonly source: string;
  /** `push-images REGISTRY VERSION...` */
  readonly pushImages: string;
  /** What a release changes in its configuration: [version, text, replacement]. */
  readonly changes?: readonly (readonly [version: string, from: string, to: string])[];
};
const nodepad: Product = {
  name: 'nodepad',
  source: root,
  pushImages: join(fixtures, 'nodepad/push-images'),
  // the only one that asks for another first
  changes: [['0.5.0', `from: '>=0.2.0'`, `from: '>=0.4.0'`]],
};
export const pad: Product = { name: 'pad', source: join(fixtures, 'pad'), pushImages: join(fixtures, 'pad/push-images') };

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

/** NodePad. What is there already is not built again, by this test file, another one of the run, or a run beside. */
export const bundles = (...versions: string[]): Promise<Releases> => bundlesOf(nodepad, ...versions);
/** The same of pad. */
export const padBundles = (...versions: string[]): Promise<Releases> => bundlesOf(pad, ...versions);

async function bundlesOf(product: Product, ...versions: string[]): Promise<Releases> {
  const keys = await madeOnce(sharedFolder('releases', `keys-${product.name}`), (folder) => makeKeys(product, folder));
  const file = (version: string): string => sharedFolder('releases', `${product.name}-${version}-linux-amd64.bundle.tar`);
  const releases: Releases = {
    path: (version) => {
      if (!existsSync(file(version))) throw new Error(`bundles() was not asked for ${version}`);
      return file(version);
    },
    trust: join(keys, 'release.pub'),
    root: join(keys, 'root.pub'),
    trustChain: join(keys, 'trust.json'),
    key: { file: join(keys, 'release.key'), passwordFile: join(keys, 'password') },
    project: runFolder('projects', product.name),
  };
  await copyProject(product, releases.project);
  for (const version of versions) {
    await madeOnce(file(version), async (unfinished) => {
      const project = runFolder('projects', `${product.name}-${version}`);
      await copyProject(product, project, version);
      await withImages(product, [version], (address) => build({ ...releases, project }, version, address, unfinished));
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
  { keySets = true, product = nodepad }: { keySets?: boolean; product?: Product } = {},
): Promise<string> {
  const releases = await bundlesOf(product, version);
  return madeOnce(sharedFolder('releases', `${product.name}-${name}.bundle.tar`), async (unfinished) => {
    const project = runFolder('projects', `${product.name}-${name}`);
    await copyProject(product, project, version);
    for (const { file, from, to } of changes) {
      const text = await readFile(join(project, file), 'utf8');
      const changed = text.replace(from, to);
      if (changed === text) throw new Error(`${file} has no ${String(from)}`);
      await writeFile(join(project, file), changed);
    }
    const by = { ...releases, project, trustChain: keySets ? releases.trustChain : undefined };
    await withImages(product, [version], (address) => build(by, version, address, unfinished));
  });
}

/** Runs `work` while a loopback registry serves the images of these NodePad releases, and only then; others may lie there, too. */
export const withRegistry = <T>(versions: readonly string[], work: (address: string) => Promise<T>): Promise<T> =>
  withImages(nodepad, versions, work);

async function withImages<T>(
  { name, pushImages }: Product,
  versions: readonly string[],
  work: (address: string) => Promise<T>,
): Promise<T> {
  const registry = await startRegistry({ name: runName('images'), keepsData: true });
  try {
    const pushed = (version: string): string => runFolder('pushed', `${name}-${version}`);
    const missing = versions.filter((version) => !existsSync(pushed(version)));
    if (missing.length > 0) {
      await execa(pushImages, [registry.address, ...missing], { stdin: 'ignore' });
      await mkdir(runFolder('pushed'), { recursive: true });
      for (const version of missing) await writeFile(pushed(version), '');
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

async function makeKeys(product: Product, folder: string): Promise<void> {
  await mkdir(folder);
  await writeFile(join(folder, 'password'), `${password}\n`);
  const vendor = async (...args: string[]): Promise<unknown> =>
    execa(await executable(), [...args, '--key-password-file', 'password'], { cwd: folder, stdin: 'ignore' });
  for (const name of ['root', 'release']) await vendor('keygen', '--out', name);
  await vendor('trust', 'rotate', 'trust.json', '--key', 'root.key', '--product', product.name, '--release', 'release.pub');
}

/** The build writes its lock file beside the configuration, so it gets a copy. */
async function copyProject({ source, changes = [] }: Product, project: string, version?: string): Promise<void> {
  await mkdir(project, { recursive: true });
  await cp(join(source, 'templates'), join(project, 'templates'), { recursive: true });
  let config = await readFile(join(source, 'bundle.config.ts'), 'utf8');
  for (const [of, from, to] of changes) {
    if (!config.includes(from)) throw new Error(`bundle.config.ts has no ${from}`);
    if (of === version) config = config.replace(from, to);
  }
  await writeFile(join(project, 'bundle.config.ts'), config);
  await symlink(join(root, 'node_modules'), join(project, 'node_modules')).catch(() => {});
}
