import { AirdockError } from '../errors.ts';
import type { BundleManifest } from './manifest.ts';
import { blobsOf } from './layout.ts';
import { manifestName, sumsName, trustName } from './names.ts';
import { maxEntrySize } from './tar.ts';

/** Limits of docs/FORMAT.md section 8, checked before any content is read. */

const mebibyte = 1024 * 1024;
/** Entries that are read before the signature or the manifest says their size. */
const byName: Readonly<Record<string, number>> = {
  [sumsName]: mebibyte,
  [trustName]: 256 * 1024,
  [manifestName]: 4 * mebibyte,
};
const smallFile = 16 * mebibyte;
const imageDocument = 4 * mebibyte;

export function checkEntryLimit(name: string, size: number): void {
  const limit = byName[name];
  if (limit !== undefined) refuseAbove(name, size, limit);
}

export function checkManifestLimits(manifest: BundleManifest): void {
  for (const { path, size, role } of manifest.files) refuseAbove(path, size, role === 'installer' ? maxEntrySize : smallFile);
  for (const { digest, size, kind } of blobsOf(manifest.images)) {
    refuseAbove(`${kind} ${digest}`, size, kind === 'layer' ? maxEntrySize : imageDocument);
  }
}

function refuseAbove(what: string, size: number, limit: number): void {
  if (size <= limit) return;
  throw new AirdockError('BUNDLE_ENTRY_TOO_LARGE', `${what} has ${size} bytes; at most ${limit} are allowed (FORMAT.md 8)`);
}
