// NodePad on a host: made by hand or by airdock, filled, and the states that tests begin with.
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { execa } from 'execa';
import { baseState, containerIds, firstInstall, healthy, opt, psql } from './deployment.ts';
import type { Host } from './host.ts';
import { bundles } from './releases.ts';
import { madeOnce, sharedFolder } from './run-folder.ts';

const root = join(import.meta.dirname, '../..');
const fixtures = join(root, 'test/fixtures/nodepad');

type Ways = { port?: number; env?: Record<string, string> };

/**
 * As the old playbook says: an archive for each image, .env from the template with sed, `up`. The volume has what a user
 * had before airdock came.
 */
export async function handMade(
  host: Host,
  version: string,
  directory: string,
  { port = 8080, env = {} }: Ways = {},
): Promise<void> {
  for (const archive of await archives(version)) await host.docker('load', '-q', '-i', archive);
  await mkdir(directory, { recursive: true });
  await cp(join(root, 'templates/compose.yaml'), join(directory, 'compose.yaml'));
  let text = await readFile(join(root, 'templates/env.template'), 'utf8');
  const values = {
    VERSION: version,
    NODEPAD_PORT: String(port),
    NODEPAD_PUBLIC_URL: `http://nodepad.example:${port}`,
    NODEPAD_SECRET_KEY: 'made-by-hand-0123456789',
    POSTGRES_PASSWORD: `hand-${basename(directory)}`,
    NODEPAD_STORAGE_PASSWORD: 'made-by-hand',
    ...env,
  };
  for (const [key, value] of Object.entries(values)) text = text.replace(new RegExp(`^${key}=.*$`, 'm'), `${key}=${value}`);
  // 0.2.4 had no such key yet
  if (version === '0.2.4') text = text.replace(/^# Notes in one export.*\n.*\n/m, '');
  await writeFile(join(directory, '.env'), text, { mode: 0o600 });
  await host.compose(directory, 'up', '-d');
  await healthy(host, directory, version);
}

/** A first install by airdock. */
export async function installed(
  host: Host,
  version: string,
  directory: string,
  { port = 8080, env = {} }: Ways = {},
): Promise<void> {
  const site = { NODEPAD_PUBLIC_URL: `http://nodepad.example:${port}`, NODEPAD_PORT: String(port) };
  await firstInstall(host, await bundles(version), version, directory, { ...site, ...env });
}

type Seed = { rows?: number; duplicateSlugs?: number; duplicateMembers?: number };

/** Text, large objects, sequences: by the release that runs. */
export async function seed(
  host: Host,
  directory: string,
  { rows = 2000, duplicateSlugs = 0, duplicateMembers = 0 }: Seed = {},
): Promise<void> {
  const { api = '' } = await containerIds(host, directory);
  const flags = ['--rows', rows, '--duplicate-slugs', duplicateSlugs, '--duplicate-members', duplicateMembers].map(String);
  await host.docker('exec', api, 'python3', 'manage.py', 'seed', ...flags);
}

/** test/fixtures/nodepad/fingerprint.sql: the same rows give the same lines. Its variables, such as `max_note`, as `variables`. */
export async function fingerprint(
  host: Host,
  directory: string,
  variables: Record<string, string | number> = {},
): Promise<string> {
  const { db = '' } = await containerIds(host, directory);
  const set = Object.entries({ ON_ERROR_STOP: 1, ...variables }).flatMap(([key, value]) => ['-v', `${key}=${value}`]);
  const input = await readFile(join(fixtures, 'fingerprint.sql'));
  const command = ['docker', 'exec', '-i', db, 'psql', '-XqAt', ...set, '-U', 'nodepad', '-f', '-', 'nodepad'];
  const { stdout, stderr, exitCode } = await host.exec(command, { input });
  if (exitCode !== 0) throw new Error(`fingerprint: ${stderr}`);
  return stdout;
}

/** One statement in the deployment's database, by the server's own psql. */
export function sql(host: Host, directory: string, statement: string): Promise<string> {
  return psql(host, directory, 'nodepad', statement);
}

/** 0.2.4 made by hand, with rows, as every customer has it today. */
export async function handMadeState(host: Host, directory = opt()): Promise<void> {
  await baseState(host, 'handmade-0.2.4', [directory], async () => {
    await handMade(host, '0.2.4', directory);
    await seed(host, directory);
  });
}

/** Installed by airdock, with rows. */
export async function installedState(host: Host, version = '0.2.4', directory = opt()): Promise<void> {
  await baseState(host, `installed-${version}`, [directory], async () => {
    await installed(host, version, directory);
    await seed(host, directory);
  });
}

/** `docker save | gzip`, one file for each image: what the old zip held. */
async function archives(version: string): Promise<string[]> {
  const folder = await madeOnce(sharedFolder('archives', version), async (unfinished) => {
    await mkdir(unfinished);
    await execa(join(import.meta.dirname, 'save-images'), [unfinished, version], { stdin: 'ignore' });
  });
  const { stdout } = await execa('find', [folder, '-name', '*.tar.gz']);
  return stdout.split('\n').toSorted();
}
