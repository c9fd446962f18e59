// What one run of the tests shares: bundles that were built once, base states, names that no other run on the machine has.
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
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

/** The folder of this run; hosts, registries and snapshots of the run carry its last word in their names. */
export function runFolder(...parts: string[]): string {
  const folder = process.env[variable];
  if (folder === undefined || !existsSync(folder)) throw new Error(`${variable} names no folder: see test/helpers/run-folder.ts`);
  return join(folder, ...parts);
}

/** A name for a host, registry or snapshot that belongs to this run: `t1a2b3c-e2e`. */
export function runName(purpose: string): string {
  return `t${basename(runFolder()).split('-').at(-1)}-${purpose}`;
}

/** Throws everything away that carries the run's name, whoever left it behind. */
async function cleanUp(folder: string): Promise<void> {
  await execa(join(root, 'scripts/test'), ['--clean', folder], { stdin: 'ignore' });
  await rm(folder, { recursive: true, force: true });
}
