import { constants } from 'node:fs';
import { chmod, copyFile, lstat, open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import semver from 'semver';
import type { BundleManifest, FileRecord } from '../bundle/manifest.ts';
import { installerName } from '../bundle/names.ts';
import { fileDigest, type Digest } from '../digest.ts';
import { diskError, ensureDirectory, syncDirectory } from '../io/files.ts';
import { migrations } from './schema.ts';
import type { ManagedSite } from './site.ts';
import { ownDirectory } from './store.ts';
import { sideFolder } from './switch-files.ts';

/** `.airdock/bin/airdock`: the newest program that has worked here (docs/adr/0006). */

type Place = Pick<ManagedSite, 'airdock' | 'host'>;

/** The release's installer for its platform, as the store keeps it; none in a release without. */
export function installerOf(manifest: BundleManifest): FileRecord[] {
  return manifest.files.filter((file) => file.path === installerName(manifest.platform));
}

/**
 * Rule 1: who is about to change something lies there afterwards, unless a higher version does.
 * @throws DISK_FULL, DIRECTORY_UNSAFE; what was there is still there then
 */
export async function placeSelf(site: Place): Promise<void> {
  const { executable, version } = site.host.program;
  if (executable === undefined || (await sameFile(executable, placeOf(site)))) return;
  const there = await whatLiesThere(site);
  if (there && (semver.gt(there.version, version) || there.stateSchema > migrations.length)) return;
  await ownDirectory(path.dirname(placeOf(site)));
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

/** Rule 2, first half: the stored installer, unpacked into the transaction's folder if it may take over at the end. */
export async function unpackInstaller(site: ManagedSite, transaction: number, digest: Digest): Promise<void> {
  const { host, state, store } = site;
  const current = state.release(state.deployment()?.current ?? '');
  const known = current !== undefined && installerOf(current.manifest).some((file) => file.digest === digest);
  if (known && (await isProgram(placeOf(site)))) return; // what lies there is it, or a newer one
  const unpacked = unpackedPath(site, transaction);
  await ensureDirectory(path.dirname(unpacked));
  await rm(unpacked, { force: true });
  try {
    const file = await open(unpacked, 'wx', 0o600);
    await pipeline(Readable.from(store.openBlob(digest)), createGunzip(), file.createWriteStream());
    await makeProgram(unpacked);
  } catch (error) {
    await rm(unpacked, { force: true });
    throw diskError(error, unpacked);
  }
  if (await sameFile(unpacked, placeOf(site))) return rm(unpacked);
  const brought = await host.program.ask(unpacked);
  const there = await whatLiesThere(site);
  if (brought && brought.stateSchema >= migrations.length && !(there && semver.lt(brought.version, there.version))) return;
  const why = brought === undefined ? 'does not run here' : `is ${brought.version}, and a newer one is here`;
  host.listener({ type: 'note', text: `the installer of the release ${why}: it is kept in the store and not used` });
  await rm(unpacked);
}

/** Rule 2, second half, before the commit of `good`. May be repeated. */
export async function settleInstaller(site: ManagedSite, transaction: number): Promise<void> {
  const unpacked = unpackedPath(site, transaction);
  if (!(await isProgram(unpacked))) return;
  await ownDirectory(path.dirname(placeOf(site)));
  await putInPlace(site, unpacked);
}

function placeOf({ airdock }: Place): string {
  return path.join(airdock, 'bin', 'airdock');
}

/** Goes with the rest of that folder when the transaction has ended. */
function unpackedPath(site: Place, transaction: number): string {
  return path.join(sideFolder({ airdock: site.airdock, directory: path.dirname(site.airdock) }, transaction, 'after'), 'airdock');
}

async function whatLiesThere(site: Place): Promise<{ version: string; stateSchema: number } | undefined> {
  return (await isProgram(placeOf(site))) ? site.host.program.ask(placeOf(site)) : undefined;
}

async function isProgram(file: string): Promise<boolean> {
  return lstat(file).then(
    (found) => found.isFile(),
    () => false,
  );
}

async function sameFile(one: string, other: string): Promise<boolean> {
  if (!(await isProgram(other))) return false;
  const [a, b] = await Promise.all([fileDigest(one), fileDigest(other)]);
  return a === b;
}

async function makeProgram(file: string): Promise<void> {
  await chmod(file, 0o700);
  const handle = await open(file, 'r');
  await handle.sync().finally(() => handle.close());
}

async function putInPlace(site: Place, file: string): Promise<void> {
  await rename(file, placeOf(site));
  await syncDirectory(path.dirname(placeOf(site)));
}
