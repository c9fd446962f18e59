import { hexOf, type Digest } from '../digest.ts';
import type { FileRecord, Platform } from './manifest.ts';

/** The names that a bundle may contain, and their order (docs/FORMAT.md section 1.2). */

export const sumsName = 'SHA256SUMS';
export const signatureName = 'SHA256SUMS.sig';
export const trustName = 'trust.json';
export const manifestName = 'bundle.json';
/** The licences of everything in the installers. */
export const licensesName = 'bin/airdock-licenses.txt';
export const derivedNames = ['oci-layout', 'index.json', 'manifest.json'] as const;

const table: readonly { pattern: RegExp; role?: FileRecord['role'] }[] = [
  { pattern: /^SHA256SUMS$/ },
  { pattern: /^SHA256SUMS\.sig$/ },
  { pattern: /^trust\.json$/ },
  { pattern: /^bundle\.json$/ },
  { pattern: /^README\.md$/, role: 'readme' },
  { pattern: /^compose\.yaml$/, role: 'compose' },
  { pattern: /^env\.template$/, role: 'env-template' },
  { pattern: /^values-template\.yaml$/, role: 'values-template' },
  { pattern: /^chart\/[A-Za-z0-9][A-Za-z0-9._-]{0,80}\.tgz$/, role: 'chart' },
  { pattern: /^bin\/airdock-licenses\.txt$/, role: 'licenses' },
  { pattern: /^bin\/airdock-linux-[a-z0-9]{1,20}\.gz$/, role: 'installer' },
  { pattern: /^oci-layout$/ },
  { pattern: /^index\.json$/ },
  { pattern: /^manifest\.json$/ },
  { pattern: /^blobs\/sha256\/[0-9a-f]{64}$/ },
];

/** The row of the table, or -1 for a name that is not in it. */
export function rowOf(name: string): number {
  return table.findIndex(({ pattern }) => pattern.test(name));
}

/** The role of a file with that name; undefined for names that `bundle.json` does not list. */
export function roleOf(name: string): FileRecord['role'] | undefined {
  return table[rowOf(name)]?.role;
}

/** The name of the installer for a platform. Architectures have the names that Node uses. */
export function installerName(platform: Platform): string {
  return `bin/airdock-linux-${{ 'linux/amd64': 'x64', 'linux/arm64': 'arm64' }[platform]}.gz`;
}

export function blobName(digest: Digest): string {
  return `blobs/sha256/${hexOf(digest)}`;
}

/** Compares names by their bytes; all names are ASCII. */
export function byName(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
