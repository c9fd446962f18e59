import { open, rm } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import type { BundleManifest, FileRecord } from '../bundle/manifest.ts';
import { installerName } from '../bundle/names.ts';
import type { Digest } from '../digest.ts';
import { diskError, ensureDirectory } from '../io/files.ts';
import { isNewer, isProgram, makeProgram, placeOf, putInPlace, sameFile, whatLiesThere } from './placed-program.ts';
import { migrations } from './schema.ts';
import type { ManagedSite } from './site.ts';
import { ownDirectory } from './store.ts';
import { sideFolder } from './switch-files.ts';

/** The installer that a release brings (docs/adr/0006, rule 2). */

/** The release's installer for its platform, as the store keeps it; none in a release without. */
export function installerOf(manifest: BundleManifest): FileRecord[] {
  return manifest.files.filter((file) => file.path === installerName(manifest.platform));
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
  const why = await whyNot(site, unpacked);
  if (why === undefined) return;
  host.listener({ type: 'note', text: `the installer of the release ${why}: it is kept in the store and not used` });
  await rm(unpacked);
}

/** Undefined when it may take the place. */
async function whyNot(site: ManagedSite, unpacked: string): Promise<string | undefined> {
  const brought = await site.host.program.ask(unpacked);
  if (!brought) return 'does not run here';
  const there = await whatLiesThere(site);
  const older = brought.stateSchema < migrations.length || (there && isNewer(there, brought));
  return older ? `is ${brought.version}, and a newer one is here` : undefined;
}

/** Rule 2, second half, before the commit of `good`. May be repeated. */
export async function settleInstaller(site: ManagedSite, transaction: number): Promise<void> {
  const unpacked = unpackedPath(site, transaction);
  // asked again: a newer program may have taken the transaction over since it was unpacked
  if (!(await isProgram(unpacked)) || (await whyNot(site, unpacked)) !== undefined) return;
  await ownDirectory(path.dirname(placeOf(site)));
  await putInPlace(site, unpacked);
}

/** Goes with the rest of that folder when the transaction has ended. */
function unpackedPath(site: ManagedSite, transaction: number): string {
  return path.join(sideFolder(site, transaction, 'after'), 'airdock');
}
