import type { Digest } from '../digest.ts';
import { AirdockError } from '../errors.ts';
import { releaseEntries, type ReleaseEntry } from './layout.ts';
import { checkManifestLimits } from './limits.ts';
import type { BundleManifest, FileRecord } from './manifest.ts';
import { byName, derivedNames, roleOf, rowOf, trustName } from './names.ts';

/**
 * Checks that `bundle.json` and `SHA256SUMS` describe the same release (docs/FORMAT.md section 4.3). @returns its entries, in order
 * @throws BUNDLE_MANIFEST_INVALID, BUNDLE_LAYOUT_INVALID for derived files with other bytes, BUNDLE_ENTRY_TOO_LARGE
 */
export function agree(manifest: BundleManifest, sums: ReadonlyMap<string, Digest>): ReleaseEntry[] {
  checkManifest(manifest);
  const entries = releaseEntries(manifest);
  for (const { name, digest } of entries) {
    const listed = sums.get(name);
    if (listed === undefined) throw invalid(`${name} is not listed in SHA256SUMS`);
    if (listed === digest) continue;
    // FORMAT.md 5: the derived bytes are known already, so another digest is another content.
    if ((derivedNames as readonly string[]).includes(name)) {
      throw new AirdockError('BUNDLE_LAYOUT_INVALID', `${name} is not derived from bundle.json (FORMAT.md 5)`);
    }
    throw invalid(`${name} is listed in SHA256SUMS with another digest`);
  }
  const known = new Set(entries.map(({ name }) => name));
  const stray = [...sums.keys()].find((name) => !known.has(name) && name !== trustName);
  if (stray !== undefined) throw invalid(`SHA256SUMS lists ${stray}, which bundle.json does not list`);
  return entries;
}

/** Checks the rules of `bundle.json` that its schema cannot express. */
export function checkManifest(manifest: BundleManifest): void {
  for (const { path, role } of manifest.files) {
    if (roleOf(path) !== role) throw invalid(`${path} cannot be a file of the role ${role}`);
  }
  for (const role of ['compose', 'env-template'] as const) {
    if (!manifest.files.some((file) => file.role === role)) throw invalid(`no file has the role ${role}`);
  }
  const paths = manifest.files.map(({ path }) => path);
  if (!ascending(paths, byTable)) throw invalid('files are not in the order of FORMAT.md 1.2, each once');
  if (countOf(manifest.files, 'chart') > 1) throw invalid('there is more than one chart');
  const references = manifest.images.map(({ reference }) => reference);
  if (!ascending(references, byName)) throw invalid('images are not sorted by reference, each once');
  checkManifestLimits(manifest);
}

/** The order of entries 5 to 11 (FORMAT.md 1.2). */
export function byTable(a: string, b: string): number {
  return rowOf(a) - rowOf(b) || byName(a, b);
}

function countOf(files: readonly FileRecord[], role: FileRecord['role']): number {
  return files.filter((file) => file.role === role).length;
}

function ascending(names: readonly string[], compare: (a: string, b: string) => number): boolean {
  return names.every((name, index) => index === 0 || compare(names[index - 1] ?? '', name) < 0);
}

function invalid(why: string): AirdockError {
  return new AirdockError('BUNDLE_MANIFEST_INVALID', `bundle.json does not agree with the release: ${why} (FORMAT.md 4.3)`);
}
