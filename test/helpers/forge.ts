import { readFile, writeFile } from 'node:fs/promises';
import { canonicalJson } from '../../src/bundle/canonical.ts';
import { derivedFiles } from '../../src/bundle/layout.ts';
import type { BundleManifest } from '../../src/bundle/manifest.ts';
import { blobName, manifestName, signatureName, sumsName } from '../../src/bundle/names.ts';
import { encodeSlot } from '../../src/bundle/signature.ts';
import { formatSums } from '../../src/bundle/sums.ts';
import { archiveEnd, encodeHeader, paddingOf } from '../../src/bundle/tar.ts';
import { digestOf, type Digest } from '../../src/digest.ts';
import { testKey } from './bundle.ts';

/** Takes bundles apart and puts hostile ones together, signed with the right key where that is wanted. */

export type RawEntry = {
  name: string;
  data: Buffer;
  /** In place of the one that follows from name and size. */
  header?: Buffer;
  /** In place of zeros. */
  padding?: Buffer;
};

export const mtime = Date.parse('2026-11-22T02:14:00Z') / 1000;

export async function takeApart(path: string): Promise<RawEntry[]> {
  const bytes = await readFile(path);
  const entries: RawEntry[] = [];
  for (let at = 0; bytes[at] !== 0;) {
    const name = bytes.toString('latin1', at, bytes.indexOf(0, at));
    const size = Number.parseInt(bytes.toString('latin1', at + 124, at + 135), 8);
    entries.push({ name, data: bytes.subarray(at + 512, at + 512 + size) });
    at += 512 + size + paddingOf(size);
  }
  return entries;
}

export function putTogether(entries: readonly RawEntry[], end: Buffer = archiveEnd): Buffer {
  const parts = entries.flatMap(({ name, data, header, padding }) => [
    header ?? encodeHeader({ name, size: data.length, mtime }),
    data,
    padding ?? Buffer.alloc(paddingOf(data.length)),
  ]);
  return Buffer.concat([...parts, end]);
}

/** Signs what `SHA256SUMS` holds. */
export function resign(entries: readonly RawEntry[], sign: (sums: Buffer) => Buffer = testKey.sign): RawEntry[] {
  const sums = dataOf(entries, sumsName);
  return entries.map((entry) => (entry.name === signatureName ? { ...entry, data: encodeSlot(sign(sums)) } : entry));
}

/** Lists the digests that the entries now have, and signs that. */
export function relist(entries: readonly RawEntry[]): RawEntry[] {
  const sums = new Map<string, Digest>();
  for (const { name, data } of entries) if (name !== sumsName && name !== signatureName) sums.set(name, digestOf(data));
  const bytes = formatSums(sums);
  return resign(entries.map((entry) => (entry.name === sumsName ? { ...entry, data: bytes } : entry)));
}

export function dataOf(entries: readonly RawEntry[], name: string): Buffer {
  const entry = entries.find((candidate) => candidate.name === name);
  if (!entry) throw new Error(`no entry ${name}`);
  return entry.data;
}

/** The same entries with one replaced. */
export function replace(entries: readonly RawEntry[], name: string, change: Partial<RawEntry>): RawEntry[] {
  if (!entries.some((entry) => entry.name === name)) throw new Error(`no entry ${name}`);
  return entries.map((entry) => (entry.name === name ? { ...entry, ...change } : entry));
}

/** Replaces text in an entry that is text; a blob is renamed to its new digest. */
export function edit(entries: readonly RawEntry[], name: string, from: string | RegExp, to: string): RawEntry[] {
  const before = dataOf(entries, name).toString();
  const data = Buffer.from(before.replace(from, to));
  if (data.toString() === before) throw new Error(`nothing to replace in ${name}`);
  return replace(entries, name, name.startsWith('blobs/') ? { data, name: blobName(digestOf(data)) } : { data });
}

/** Changes `bundle.json`, derives what follows from it, lists and signs it all. */
export function remanifest(entries: readonly RawEntry[], change: (manifest: BundleManifest) => BundleManifest): RawEntry[] {
  const manifest = change(JSON.parse(dataOf(entries, manifestName).toString()) as BundleManifest);
  let changed = replace(entries, manifestName, { data: canonicalJson(manifest) });
  for (const [name, data] of derivedFiles(manifest.images)) changed = replace(changed, name, { data });
  return relist(changed);
}

export function without(entries: readonly RawEntry[], name: string): RawEntry[] {
  return entries.filter((entry) => entry.name !== name);
}

export async function write(path: string, bytes: Buffer): Promise<string> {
  await writeFile(path, bytes);
  return path;
}
