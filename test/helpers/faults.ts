import { appendFile } from 'node:fs/promises';

// What CI leaves to the long run, `scripts/test --faults`: every fault point, both engines everywhere, and the proofs that
// the tests can fail.
const all = process.env['AIRDOCK_FAULTS'] === '1';

/**
 * Puts a fault that was made, and that is known to have happened, on the list whose length `scripts/test --faults` prints.
 * @param id kind of transaction, step, phase, fault: two of the same are one
 */
export async function fired(kind: 'engine' | 'file-system', ...id: readonly string[]): Promise<void> {
  const list = process.env['AIRDOCK_FAULT_POINTS'];
  if (list !== undefined) await appendFile(list, `${kind} fault point ${id.join(' ')}\n`);
}

/** Cases for `test.each` and `describe.each`: the first ones always, the others in the long run only. */
export function cases<Case>(always: readonly Case[], inTheLongRun: readonly Case[]): Case[] {
  return all ? [...always, ...inTheLongRun] : [...always];
}

/** Of many fault points every 50th; in the long run all. */
export function sampled<Point>(points: readonly Point[], every = 50): Point[] {
  return all ? [...points] : points.filter((_point, index) => index % every === 0);
}
