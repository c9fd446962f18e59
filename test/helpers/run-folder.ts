// What one run of the tests shares: bundles that were built once, base states, names that no other run on the machine has.
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';

const variable = 'AIRDOCK_TEST_RUN';
const root = join(import.meta.dirname, '../..');

/**
 * Global set-up of the projects with engines: the executable that they run, and the run's folder, unless the caller
 * (scripts/test) made it.
 */
export default async function setup(): Promise<(() => Promise<void>) | undefined> {
  await execa(join(root, 'scripts/build-installer'), ['x64'], { stdin: 'ignore' });
  if (process.env[variable] !== undefined) return undefined;
  const folder = join('/var/tmp', `airdock-run-${randomBytes(3).toString('hex')}`);
  await mkdir(folder);
  process.env[variable] = folder;
  return () => cleanUp(folder);
}

/** The test files of a project may run side by side: each worker has hosts, states and an /opt of its own. */
const worker = (): string => process.env['VITEST_POOL_ID'] ?? '0';

/** A place in the folder of this worker, for what only its test files use. */
export function runFolder(...parts: string[]): string {
  const own = join(folderOfRun(), `worker-${worker()}`);
  mkdirSync(own, { recursive: true });
  return join(own, ...parts);
}

/** A name for a host, registry or snapshot that belongs to this worker of this run: `t1a2b3c-1-vm`. */
export function runName(purpose: string): string {
  return `t${basename(folderOfRun()).split('-').at(-1)}-${worker()}-${purpose}`;
}

/** A place for what is made once and never changed: for all workers, and for the runs beside (scripts/test). */
export function sharedFolder(...parts: string[]): string {
  return join(process.env['AIRDOCK_TEST_SHARED'] ?? folderOfRun(), ...parts);
}

/**
 * Makes a file or folder of `sharedFolder` unless it is there; who asks while somebody else makes it waits.
 * @param make gets the path under which it is to be made; it has its own name only once it is whole
 */
export async function madeOnce(path: string, make: (unfinished: string) => Promise<void>): Promise<string> {
  const lock = `${path}.lock`;
  await mkdir(dirname(path), { recursive: true });
  for (; !existsSync(path); await sleep(100)) {
    const mine = await writeFile(lock, String(process.pid), { flag: 'wx' }).then(
      () => true,
      () => false,
    );
    if (!mine) {
      const holder = await readFile(lock, 'utf8').catch(() => '');
      if (holder !== '' && !existsSync(`/proc/${holder}`)) await rm(lock, { force: true });
      continue;
    }
    try {
      if (!existsSync(path)) {
        await rm(`${path}.new`, { recursive: true, force: true });
        await make(`${path}.new`);
        await rename(`${path}.new`, path);
      }
    } finally {
      await rm(lock, { force: true });
    }
  }
  return path;
}

/** Hosts, registries and snapshots of the run carry its last word in their names. */
function folderOfRun(): string {
  const folder = process.env[variable];
  if (folder === undefined || !existsSync(folder)) throw new Error(`${variable} names no folder: see test/helpers/run-folder.ts`);
  return folder;
}

/** Throws everything away that carries the run's name, whoever left it behind. */
async function cleanUp(folder: string): Promise<void> {
  await execa(join(root, 'scripts/test'), ['--clean', folder], { stdin: 'ignore' });
  await rm(folder, { recursive: true, force: true });
}
