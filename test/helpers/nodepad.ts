// NodePad on a host: made by hand or by airdock, filled, asked. A deployment is a host and a directory; its compose project
// is the directory's name. Base states are made once in a run and put back in seconds.
import { existsSync } from 'node:fs';
import { cp, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { airdock } from './airdock.ts';
import type { Host } from './host.ts';
import { bundles } from './releases.ts';
import { madeOnce, runFolder, runName, sharedFolder } from './run-folder.ts';

const root = join(import.meta.dirname, '../..');
const fixtures = join(root, 'test/fixtures/nodepad');

/** `/opt/NAME` of the hosts of this run. Hosts share the machine's file system, so a name belongs to one host at a time. */
export function opt(name = 'nodepad'): string {
  return runFolder('opt', name);
}

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
  const releases = await bundles(version);
  const values = Object.entries({ NODEPAD_PUBLIC_URL: `http://nodepad.example:${port}`, NODEPAD_PORT: String(port), ...env });
  const settings = values.flatMap(([key, value]) => ['--set', `${key}=${value}`]);
  await succeed(host, ['install', releases.path(version), '--dir', directory, '--trust', releases.root, '--yes', ...settings]);
}

/** An upgrade, or whatever else is to succeed here. */
export async function succeed(host: Host, args: readonly string[]): Promise<Awaited<ReturnType<typeof airdock>>> {
  const result = await airdock(host, args);
  if (result.exitCode !== 0)
    throw new Error(`airdock ${args.join(' ')}: exit ${result.exitCode}\n${result.stdout}${result.stderr}`);
  return result;
}

/** Until every container runs and /api/ready is good, in that version. */
export async function healthy(host: Host, directory: string, version?: string): Promise<void> {
  const url = `${await address(directory)}/api/ready`;
  let last = '';
  for (const end = Date.now() + 300_000; Date.now() < end; await sleep(250)) {
    const { status, body } = await host.curl(url);
    last = `${status} ${body}`;
    if (status === 200 && (version === undefined || body.includes(`"version": "${version}"`))) return;
  }
  throw new Error(`${url} is not ready: ${last}\n${await host.docker('ps', '-a')}`);
}

/** Where this deployment's users reach it: `http://127.0.0.1:PORT`. */
export async function address(directory: string): Promise<string> {
  const env = await readFile(join(directory, '.env'), 'utf8');
  return `http://127.0.0.1:${/^NODEPAD_PORT=["']?(\d+)/m.exec(env)?.[1] ?? '8080'}`;
}

/** The version that answers users now; undefined when nobody does. */
export async function answering(host: Host, directory: string): Promise<string | undefined> {
  const { status, body } = await host.curl(`${await address(directory)}/api/health`);
  return status === 200 ? (JSON.parse(body) as { version: string }).version : undefined;
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

/** Through the frontend, as a user does. @returns its id */
export async function postNote(host: Host, directory: string, title: string): Promise<number> {
  const url = `${await address(directory)}/api/notes`;
  const body = JSON.stringify({ title });
  const { stdout, exitCode } = await host.exec([
    'curl',
    '-sf',
    '-m',
    '10',
    '-H',
    'Content-Type: application/json',
    '-d',
    body,
    url,
  ]);
  if (exitCode !== 0) throw new Error(`POST ${url}: ${exitCode} ${stdout}`);
  return (JSON.parse(stdout) as { id: number }).id;
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

/** The same in any database of its server. */
export async function psql(host: Host, directory: string, database: string, statement: string): Promise<string> {
  const { db = '' } = await containerIds(host, directory);
  const command = ['exec', db, 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-U', 'nodepad', '-c', statement, database];
  return (await host.docker(...command)).trim();
}

/** Container id by service, stopped ones too; one-shots are left out. */
export async function containerIds(host: Host, directory: string): Promise<Record<string, string>> {
  const format = '{{.Label "com.docker.compose.service"}} {{.ID}}';
  const project = `label=com.docker.compose.project=${basename(directory)}`;
  const lines = await host.docker(
    'ps',
    '-a',
    '--no-trunc',
    '--filter',
    project,
    '--filter',
    'label=com.docker.compose.oneoff=False',
    '--format',
    format,
  );
  return Object.fromEntries(
    lines
      .trim()
      .split('\n')
      .filter(Boolean)
      .toSorted()
      .map((line) => line.split(' ') as [string, string]),
  );
}

/** Nothing on the engine, and no such directories. */
export async function emptied(host: Host, directories: readonly string[]): Promise<void> {
  const containers = (await host.docker('ps', '-aq')).split('\n').filter(Boolean);
  if (containers.length > 0) await host.docker('rm', '-f', ...containers);
  const volumes = (await host.docker('volume', 'ls', '-q')).split('\n').filter(Boolean);
  if (volumes.length > 0) await host.docker('volume', 'rm', ...volumes);
  await host.docker('system', 'prune', '-af');
  for (const directory of directories) await rm(directory, { recursive: true, force: true });
}

/** Path, mode, size, time of change and content of everything in it, as text: equal when nothing was touched. */
export async function everything(directory: string): Promise<string> {
  const script = 'find . -printf "%P %y %m %s %C@\\n" | sort; find . -type f -not -path "*/blobs/*" -exec sha256sum {} + | sort';
  return (await execa('sh', ['-c', script], { cwd: directory })).stdout;
}

/**
 * Puts the host and these directories into a named state; `make` brings it about the first time in a run, from an empty
 * engine or from whatever state it puts back itself. Waits until every deployment answers. Files that share states give
 * their host the same name, `runName('vm')`.
 */
export async function baseState(
  host: Host,
  name: string,
  directories: readonly string[],
  make: () => Promise<void>,
): Promise<void> {
  const snapshot = runName(name);
  const kept = runFolder('states', name);
  if (!existsSync(kept)) {
    await emptied(host, directories);
    await make();
    await host.snapshot(snapshot);
    await mkdir(`${kept}.new`, { recursive: true });
    for (const directory of directories) await copyTree(directory, join(`${kept}.new`, basename(directory)));
    await writeFile(join(`${kept}.new`, 'host'), host.name);
    await rename(`${kept}.new`, kept);
  } else {
    const maker = await readFile(join(kept, 'host'), 'utf8');
    // containers name the data root of their engine in the mounts of their volumes
    if (maker !== host.name) throw new Error(`the state ${name} is of the host ${maker}, not of ${host.name}`);
    await host.restore(snapshot);
    for (const directory of directories) {
      await rm(directory, { recursive: true, force: true });
      await mkdir(join(directory, '..'), { recursive: true });
      await copyTree(join(kept, basename(directory)), directory);
    }
  }
  for (const directory of directories) if (existsSync(join(directory, 'compose.yaml'))) await healthy(host, directory);
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

/** 0.2.4 installed, filled, and upgraded to 0.3.0. */
export async function upgradedState(host: Host, directory = opt()): Promise<void> {
  await baseState(host, 'upgraded-0.3.0', [directory], async () => {
    await installedState(host, '0.2.4', directory);
    const bundle = (await bundles('0.3.0')).path('0.3.0');
    await succeed(host, ['install', bundle, '--dir', directory, '--yes', '--no-rehearsal']);
  });
}

/** Blobs and programs are never written to, only replaced, so they may be shared. */
async function copyTree(from: string, to: string): Promise<void> {
  const own = `find . -type f -not -path './.airdock/blobs/*' -not -path './.airdock/bin/*' -print0`;
  await execa('cp', ['-al', from, to]);
  await execa('sh', ['-c', `${own} | xargs -0r cp -a --remove-destination --parents -t "$1"`, 'sh', to], { cwd: from });
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
