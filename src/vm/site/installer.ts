import { createHash } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import type { BundleManifest, FileRecord } from '../../bundle/manifest.ts';
import { installerName } from '../../bundle/names.ts';
import { fileDigest, finish, type Digest } from '../../digest.ts';
import { diskError, ensureDirectory, syncDirectory } from '../../io/files.ts';
import { isNewer, isProgram, makeProgram, placeOf, putInPlace, placedVersions } from './placed-program.ts';
import { migrations } from '../state/schema.ts';
import type { ManagedSite } from './site.ts';
import { type Store } from '../store/store.ts';
import { ownDirectory } from '../../io/files.ts';
import { snapshotFolder } from '../state/names.ts';

/** The installer that a release brings (docs/adr/0006, rule 2). */

/** The files of the release that are its installer: one, or none. */
export function installerOf(manifest: BundleManifest): FileRecord[] {
  return manifest.files.filter((file) => file.path === installerName(manifest.platform));
}

/** Rule 2, first half: unpacks the stored installer into the transaction's folder, if it may be put in place at the end. */
export async function unpackInstaller(site: ManagedSite, transaction: number, digest: Digest): Promise<void> {
  const { host, store } = site;
  if ((await isProgram(placeOf(site))) && (await fileDigest(placeOf(site))) === (await unpackedDigest(store, digest))) return;
  const unpacked = unpackedPath(site, transaction);
  await ensureDirectory(path.dirname(unpacked));
  await rm(unpacked, { force: true });
  try {
    const file = await open(unpacked, 'wx', 0o600);
    await pipeline(Readable.from(store.openBlob(digest)), createGunzip(), file.createWriteStream());
    await makeProgram(unpacked);
    await syncDirectory(path.dirname(unpacked));
  } catch (error) {
    await rm(unpacked, { force: true });
    throw diskError(error, unpacked);
  }
  const why = await reasonAgainst(site, unpacked);
  if (why === undefined) return;
  host.listener({ type: 'note', text: `the installer of the release ${why}: it is kept in the store and not used` });
  await rm(unpacked);
}

/** The digest of the content of a stored gzip file. */
async function unpackedDigest(store: Store, digest: Digest): Promise<Digest> {
  const hash = createHash('sha256');
  await pipeline(Readable.from(store.openBlob(digest)), createGunzip(), async (chunks: AsyncIterable<Buffer>) => {
    for await (const chunk of chunks) hash.update(chunk);
  });
  return finish(hash);
}

/** Why the unpacked installer must not replace the one in place; undefined when it may. */
async function reasonAgainst(site: ManagedSite, unpacked: string): Promise<string | undefined> {
  const brought = await site.host.program.versionsOf(unpacked);
  if (!brought) return 'does not run here';
  const placed = await placedVersions(site);
  const older = brought.stateSchema < migrations.length || (placed && isNewer(placed, brought));
  return older ? `is ${brought.version}, and a newer one is in use here` : undefined;
}

/** Rule 2, second half: puts the installer in place before the commit of `good`. May be repeated. */
export async function settleInstaller(site: ManagedSite, transaction: number): Promise<void> {
  const unpacked = unpackedPath(site, transaction);
  // checked again: a newer program may have taken over the transaction after the installer was unpacked
  if (!(await isProgram(unpacked)) || (await reasonAgainst(site, unpacked)) !== undefined) return;
  await ownDirectory(path.dirname(placeOf(site)));
  await putInPlace(site, unpacked);
}

/** Removed with the rest of that folder when the transaction has ended. */
function unpackedPath(site: ManagedSite, transaction: number): string {
  return path.join(snapshotFolder(site, transaction, 'after'), 'airdock');
}
