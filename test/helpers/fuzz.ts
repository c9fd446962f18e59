import { readdir, readFile, writeFile } from 'node:fs/promises';
import * as fc from 'fast-check';
import { expect } from 'vitest';
import { openBundle } from '../../src/bundle/reader.ts';
import { digestOf, hexOf } from '../../src/digest.ts';
import { AirdockError } from '../../src/errors.ts';
import { openStore, type Store } from '../../src/vm/store/store.ts';
import { authorizeBy, type Authorize } from '../../src/bundle/authorize.ts';
import type { Target } from './attack.ts';
import { makeImage, temporaryFolder, testKey } from './bundle.ts';
import { chainOf, newKey } from './key-sets.ts';

/**
 * Mutants by the thousand, each read as an install reads it and put into a store. None is accepted, none ends in another error
 * than one of exit code 4, and the store holds what its names say.
 */

/** `AIRDOCK_FUZZ_RUNS=200000` for a long night, with another seed each time; `AIRDOCK_FUZZ_SEED` to see one again. */
const runs = Number(process.env['AIRDOCK_FUZZ_RUNS'] ?? 10_000);
const seed = Number(process.env['AIRDOCK_FUZZ_SEED'] ?? (process.env['AIRDOCK_FUZZ_RUNS'] ? Date.now() % 2 ** 31 : 20_261_126));

const root = newKey();
/** Small, for there are many of it: two images that share a layer, files of each kind, a key set. */
export const fuzzed = {
  trust: chainOf(root, [[testKey]]),
  images: [
    makeImage('ghcr.io/example/shop-api:0.3.0', ['base', 'api']),
    makeImage('ghcr.io/example/shop-web:0.3.0', ['base'], ['compose web']),
  ],
  files: { 'bin/airdock-linux-x64.gz': 'installer' },
};

/** Without the key set nobody's signature is good. */
export const byRoot = authorizeBy({ roots: [{ fingerprint: root.fingerprint }] });

export type Mutant = { bytes: Buffer; /** Signed anew, with the right key. */ signed: boolean };

/** What became of the mutants: how many by the code and the section of FORMAT.md that refused them. */
export type Tally = { rules: Record<string, number>; signed: number; runs: number };

/** @param make a mutant; undefined when nothing was changed */
export async function fuzz<Change>(
  target: Target,
  changes: fc.Arbitrary<Change>,
  make: (change: Change) => Mutant | undefined,
): Promise<Tally> {
  await using folder = await temporaryFolder();
  const store = await openStore(folder.file('.airdock'));
  const path = folder.file('mutant.tar');
  await writeFile(path, target.bytes);
  await carry(path, store, target.authorize); // its blobs are there: only what was changed is written
  const whole = await readdir(folder.file('.airdock/blobs/sha256'));
  const tally: Tally = { rules: {}, signed: 0, runs };
  const memory = process.memoryUsage().rss;
  const property = fc.asyncProperty(changes, async (change) => {
    const mutant = make(change);
    fc.pre(mutant !== undefined && !mutant.bytes.equals(target.bytes)); // else another one is drawn
    if (!mutant) return;
    await writeFile(path, mutant.bytes);
    const rule = ruleOf(await carry(path, store, target.authorize).then(() => undefined, asError));
    tally.rules[rule] = (tally.rules[rule] ?? 0) + 1;
    if (mutant.signed) tally.signed += 1;
  });
  await fc.assert(property, { numRuns: runs, seed, endOnFailure: true });
  expect((process.memoryUsage().rss - memory) / 2 ** 20).toBeLessThan(400);
  expect(await readdir(folder.path)).toEqual(['.airdock', 'mutant.tar']);
  const blobs = folder.file('.airdock/blobs/sha256');
  expect(await readdir(blobs)).toEqual(whole);
  for (const name of whole) expect(hexOf(digestOf(await readFile(`${blobs}/${name}`)))).toBe(name);
  expect(await readdir(folder.file('.airdock/releases'))).toEqual([]);
  console.log(`seed ${seed}: ${runs} mutants, ${tally.signed} of them signed\n${table(tally.rules)}`);
  return tally;
}

const asError = (error: unknown): unknown => error;

/** `BUNDLE_ORDER 1.2`: the code, and the section that its message names. Anything else is a failure of the test. */
function ruleOf(error: unknown): string {
  if (error === undefined) throw new Error('it was accepted');
  if (!(error instanceof AirdockError) || error.exitCode !== 4) throw error;
  const section = /FORMAT\.md (\d+(?:\.\d+)?)/.exec(error.message)?.[1];
  return section === undefined ? error.code : `${error.code} ${section}`;
}

/** As `import` does it; a bundle that leaves something out is none that a first install takes. */
async function carry(path: string, store: Store, authorize: Authorize): Promise<void> {
  const bundle = await openBundle(path, { authorize });
  try {
    for (const blob of bundle.installers) await Array.fromAsync(blob.read());
    for await (const blob of bundle.blobs()) {
      if (await store.has(blob.digest, blob.size)) await Array.fromAsync(blob.read());
      else await store.putBlob(blob.digest, blob.size, blob.read());
    }
    if (bundle.leftOut.length > 0)
      throw new AirdockError('BUNDLE_ENTRY_MISSING', `${bundle.leftOut.join(', ')} was left out (FORMAT.md 7)`);
  } finally {
    await bundle.close();
  }
}

function table(rules: Record<string, number>): string {
  const lines = Object.entries(rules).toSorted(([a], [b]) => a.localeCompare(b));
  return lines.map(([rule, count]) => `  ${String(count).padStart(6)}  ${rule}`).join('\n');
}

/** At least half were signed, and each of these rules refused one. */
export function expectAllRules({ rules, signed, runs: all }: Tally, expected: readonly string[]): void {
  expect(Object.values(rules).reduce((sum, count) => sum + count, 0)).toBe(all);
  expect(signed).toBeGreaterThanOrEqual(all / 2);
  expect(expected.filter((rule) => !(rule in rules))).toEqual([]);
  expect(Object.keys(rules).filter((rule) => !expected.includes(rule))).toEqual([]);
}
