import { constants } from 'node:fs';
import { chmod, copyFile, lstat, open, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import semver from 'semver';
import { fileDigest } from '../../digest.ts';
import { diskError, syncDirectory } from '../../io/files.ts';
import type { Host } from './host.ts';
import { migrations } from '../state/schema.ts';
import { ownDirectory } from '../../io/files.ts';

/** `.airdock/bin/airdock`: the newest program that has worked here (docs/adr/0006). */
type Answer = { version: string; stateSchema: number };
export type Place = { airdock: string; host: Pick<Host, 'program'> };

/**
 * Rule 1: who is about to change something lies there afterwards, unless a newer one does (`isNewer`).
 * @throws DISK_FULL, DIRECTORY_UNSAFE; what was there is still there then
 */
export async function placeSelf(site: Place): Promise<void> {
  const { executable, version } = site.host.program;
  if (executable === undefined || (await sameFile(executable, placeOf(site)))) return;
  for (const directory of [site.airdock, path.dirname(placeOf(site))]) await ownDirectory(directory);
  const there = await askPlacedProgram(site);
  if (there && isNewer(there, { version, stateSchema: migrations.length })) return;
  const temporary = `${placeOf(site)}.new`;
  await rm(temporary, { force: true });
  try {
    await copyFile(executable, temporary, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
    await makeProgram(temporary);
  } catch (error) {
    await rm(temporary, { force: true });
    throw diskError(error, temporary);
  }
  await putInPlace(site, temporary);
}

/** Bytes that `placeSelf` would write, as far as the sizes of the files tell. */
export async function copyNeeds(site: Place): Promise<number> {
  const { executable } = site.host.program;
  if (executable === undefined) return 0;
  const { size } = await stat(executable);
  const there = await lstat(placeOf(site)).catch(() => undefined);
  return there?.size === size ? 0 : size;
}

/** What it knows of the records counts first: a higher version that knows an older form is of no use here. */
export function isNewer(one: Answer, other: Answer): boolean {
  if (one.stateSchema !== other.stateSchema) return one.stateSchema > other.stateSchema;
  return semver.gt(one.version, other.version);
}

export function placeOf({ airdock }: Place): string {
  return path.join(airdock, 'bin', 'airdock');
}

export async function askPlacedProgram(site: Place): Promise<Answer | undefined> {
  return (await isProgram(placeOf(site))) ? site.host.program.ask(placeOf(site)) : undefined;
}

/** What others can write to is nobody's program: it is not run, and may be replaced. */
export async function isProgram(file: string): Promise<boolean> {
  return lstat(file).then(
    (found) => found.isFile() && (found.mode & 0o022) === 0 && [0, process.geteuid?.()].includes(found.uid),
    () => false,
  );
}

async function sameFile(one: string, other: string): Promise<boolean> {
  if (!(await isProgram(other))) return false;
  const [a, b] = await Promise.all([fileDigest(one), fileDigest(other)]);
  return a === b;
}

export async function makeProgram(file: string): Promise<void> {
  await chmod(file, 0o700);
  const handle = await open(file, 'r');
  await handle.sync().finally(() => handle.close());
}

export async function putInPlace(site: Place, file: string): Promise<void> {
  await rename(file, placeOf(site));
  await syncDirectory(path.dirname(placeOf(site)));
}
