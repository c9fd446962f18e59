import { readdir, readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect } from 'vitest';
import { blobName } from '../../src/bundle/names.ts';
import { openBundle } from '../../src/bundle/reader.ts';
import { authorizeBy, type Authorize } from '../../src/bundle/authorize.ts';
import { verifyBundle } from '../../src/bundle/verify.ts';
import { digestOf } from '../../src/digest.ts';
import type { TransactionRecord } from '../../src/vm/state/journal.ts';
import type { ManagedSite } from '../../src/vm/site/site.ts';
import { importRelease } from '../../src/vm/transaction/steps/import.ts';
import { openStore } from '../../src/vm/store/store.ts';
import { temporaryFolder, testKey, writeTestBundle } from './bundle.ts';
import { takeApart, type RawEntry } from './forge.ts';

/** A good bundle for each test file, what an attacker makes of it, and what must become of that: nothing. */

export const authorize = authorizeBy({ keys: [testKey.publicPem] });

export type Target = {
  folder: Awaited<ReturnType<typeof temporaryFolder>>;
  /** Of a bundle of three images, all kinds of small files and an installer. */
  entries: RawEntry[];
  bytes: Buffer;
  /** Whose signature is good. */
  authorize: Authorize;
};

/** @param release in place of the usual one */
export function attacked(release?: Parameters<typeof writeTestBundle>[1], whose: Authorize = authorize): Target {
  const target = { authorize: whose } as Target;
  beforeAll(async () => {
    target.folder = await temporaryFolder();
    const path = target.folder.file('good.tar');
    await writeTestBundle(path, release ?? { files: { 'bin/airdock-linux-x64.gz': 'installer' } });
    target.entries = await takeApart(path);
    target.bytes = await readFile(path);
    expect(await codeOf(target, target.bytes), 'the good one').toBe('ok');
  });
  afterAll(() => target.folder[Symbol.asyncDispose]());
  return target;
}

/** As `airdock verify --full` tells it: the first finding, or `ok`. */
export async function codeOf({ folder, authorize: whose }: Target, content: Buffer): Promise<string> {
  const path = folder.file('hostile.tar');
  await writeFile(path, content);
  const { findings } = await verifyBundle(path, { authorize: whose, full: true });
  return findings[0]?.code ?? 'ok';
}

/**
 * Refused by `verify`, and by the step that imports: no release, no partial file, and of the blobs nothing or what their
 * names say, when it is a later one that is bad. Nothing appeared elsewhere.
 */
export async function expectRefused(target: Target, content: Buffer, code: string): Promise<void> {
  expect(await codeOf(target, content)).toBe(code);
  const there = await readdir(target.folder.path);
  await using store = await temporaryFolder();
  await expect(carryIn(target.folder.file('hostile.tar'), store.path, {}, target.authorize)).rejects.toMatchObject({
    code,
    exitCode: 4,
  });
  expect(await readdir(target.folder.path)).toEqual(there);
  const left = (await readdir(store.path, { recursive: true })).toSorted();
  const blobs = left.filter((name) => name.startsWith('blobs/sha256/'));
  expect(left.filter((name) => !blobs.includes(name))).toEqual(['blobs', 'blobs/sha256', 'releases']);
  if (code !== 'BUNDLE_DIGEST_MISMATCH') expect(blobs).toEqual([]);
  for (const name of blobs) expect(blobName(digestOf(await readFile(store.file(name))))).toBe(name);
}

/** The step that imports, into a store in that directory. It asks the rest of the site for nothing until all blobs are good. */
export async function carryIn(
  path: string,
  directory: string,
  rest: Partial<ManagedSite> = {},
  whose = authorize,
): Promise<void> {
  const site = { ...rest, store: await openStore(directory) } as ManagedSite;
  const bundle = await openBundle(path, { authorize: whose });
  try {
    await importRelease({ site, record: { id: 1 } as TransactionRecord, bundle }, () => {});
  } finally {
    await bundle.close();
  }
}

/** The name of the last layer. */
export function layerOf({ entries }: Target): string {
  return entries.at(-1)?.name ?? '';
}

export function indexOf({ entries }: Target, name: string): number {
  const index = entries.findIndex((entry) => entry.name === name);
  if (index < 0) throw new Error(`no entry ${name}`);
  return index;
}

/** `added` before the entry of that name. */
export function before(target: Target, name: string, ...added: RawEntry[]): RawEntry[] {
  return target.entries.toSpliced(indexOf(target, name), 0, ...added);
}

export function swapped({ entries }: Target, a: number, b: number): RawEntry[] {
  return entries.map((entry, index) => (index === a ? entries[b] : index === b ? entries[a] : entry) ?? entry);
}

/** A header with bytes changed and the checksum right again: what another tar would write. */
export function otherHeader(header: Buffer, change: (block: Buffer) => void): Buffer {
  const block = Buffer.from(header);
  change(block);
  block.write('        ', 148);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')} \0`, 148);
  return block;
}
