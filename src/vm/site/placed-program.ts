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
type ProgramVersion = { version: string; stateSchema: number };
export type Place = { airdock: string; host: Pick<Host, 'program'> };

/**
 * Rule 1: copies the running program into place before it changes something, unless a newer one (`isNewer`) is there.
 * @throws DISK_FULL, DIRECTORY_UNSAFE; the program in place stays then
 */
export async function placeSelf(site: Place): Promise<void> {
  const { executable, version } = site.host.program;
  if (executable === undefined || (await sameFile(executable, placeOf(site)))) return;
  for (const directory of [site.airdock, path.dirname(placeOf(site))]) await ownDirectory(directory);
  const placed = await placedVersions(site);
  if (placed && isNewer(placed, { version, stateSchema: migrations.length })) return;
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

/** Bytes that `placeSelf` would write, judged by the sizes of the files. */
export async function copyNeeds(site: Place): Promise<number> {
  const { executable } = site.host.program;
  if (executable === undefined) return 0;
  const { size } = await stat(executable);
  const placed = await lstat(placeOf(site)).catch(() => undefined);
  return placed?.size === size ? 0 : size;
}

/** The form of the records that a program knows counts first: a higher version with an older form would be useless here. */
export function isNewer(one: ProgramVersion, other: ProgramVersion): boolean {
  if (one.stateSchema !== other.stateSchema) return one.stateSchema > other.stateSchema;
  return semver.gt(one.version, other.version);
}

export function placeOf({ airdock }: Place): string {
  return path.join(airdock, 'bin', 'airdock');
}

export async function placedVersions(site: Place): Promise<ProgramVersion | undefined> {
  return (await isProgram(placeOf(site))) ? site.host.program.versionsOf(placeOf(site)) : undefined;
}

/** Whether a file may be run: a regular file of root or the current user that others cannot write to. Other files may be replaced. */
export async function isProgram(file: string): Promise<boolean> {
  return lstat(file).then(
    (stats) => stats.isFile() && (stats.mode & 0o022) === 0 && [0, process.geteuid?.()].includes(stats.uid),
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
