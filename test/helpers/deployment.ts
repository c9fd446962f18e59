// A deployment on a host, of whatever product: asked, looked at, put back. It is a host and a directory; its compose project is
// the directory's name, and its .env says where users reach it. Base states are made once in a run and put back in seconds.
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { airdock } from './airdock.ts';
import type { Host } from './host.ts';
import type { Releases } from './releases.ts';
import { runFolder, runName } from './run-folder.ts';

/** `/opt/NAME` of the hosts of this run. Hosts share the machine's file system, so a name belongs to one host at a time. */
export function opt(name = 'nodepad'): string {
  return runFolder('opt', name);
}

/** An upgrade, or whatever else is to succeed here. */
export async function succeed(host: Host, args: readonly string[]): Promise<Awaited<ReturnType<typeof airdock>>> {
  const result = await airdock(host, args);
  if (result.exitCode !== 0)
    throw new Error(`airdock ${args.join(' ')}: exit ${result.exitCode}\n${result.stdout}${result.stderr}`);
  return result;
}

/** A first install by airdock, with these values in .env. */
export async function firstInstall(
  host: Host,
  releases: Releases,
  version: string,
  directory: string,
  values: Record<string, string>,
): Promise<void> {
  const settings = Object.entries(values).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
  await succeed(host, ['install', releases.path(version), '--dir', directory, '--trust', releases.root, '--yes', ...settings]);
}

/** Until every container runs and the product says that it is ready, in that version. */
export async function healthy(host: Host, directory: string, version?: string): Promise<void> {
  const url = await urlOf(directory, 'ready');
  let last = '';
  for (const end = Date.now() + 300_000; Date.now() < end; await sleep(250)) {
    const { status, body } = await host.curl(url);
    last = `${status} ${body}`;
    if (status === 200 && (version === undefined || body.includes(`"version": "${version}"`))) return;
  }
  throw new Error(`${url} is not ready: ${last}\n${await host.docker('ps', '-a')}`);
}

const paths = {
  NODEPAD: { health: '/api/health', ready: '/api/ready', notes: '/api/notes' },
  PAD: { health: '/cgi-bin/health', ready: '/cgi-bin/ready', notes: '/cgi-bin/notes' },
};

/** Where this deployment's users reach it: `http://127.0.0.1:PORT/PATH`. Its .env has NODEPAD_PORT or PAD_PORT. */
export async function urlOf(directory: string, what: 'health' | 'ready' | 'notes'): Promise<string> {
  const env = await readFile(join(directory, '.env'), 'utf8');
  const [, product, port] = /^(NODEPAD|PAD)_PORT=["']?(\d+)/m.exec(env) ?? [];
  if (product === undefined) throw new Error(`${directory}/.env has no port of NodePad or pad`);
  return `http://127.0.0.1:${port}${paths[product as keyof typeof paths][what]}`;
}

/** The version that answers users now; undefined when nobody does. */
export async function answering(host: Host, directory: string): Promise<string | undefined> {
  const { status, body } = await host.curl(await urlOf(directory, 'health'));
  return status === 200 ? (JSON.parse(body) as { version: string }).version : undefined;
}

/** Through the frontend, as a user does. @returns its id */
export async function postNote(host: Host, directory: string, title: string): Promise<number> {
  const url = await urlOf(directory, 'notes');
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

/** One statement in a database of the deployment's server, by the server's own psql, as its superuser. */
export async function psql(host: Host, directory: string, database: string, statement: string): Promise<string> {
  const { db = '' } = await containerIds(host, directory);
  const env = await readFile(join(directory, '.env'), 'utf8');
  const user = /^POSTGRES_USER=["']?(\w+)/m.exec(env)?.[1] ?? 'nodepad';
  const command = ['exec', db, 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-U', user, '-c', statement, database];
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

/** Blobs and programs are never written to, only replaced, so they may be shared. */
async function copyTree(from: string, to: string): Promise<void> {
  const own = `find . -type f -not -path './.airdock/blobs/*' -not -path './.airdock/bin/*' -print0`;
  await execa('cp', ['-al', from, to]);
  await execa('sh', ['-c', `${own} | xargs -0r cp -a --remove-destination --parents -t "$1"`, 'sh', to], { cwd: from });
}
