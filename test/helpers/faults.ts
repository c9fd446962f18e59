// What CI leaves to the long run, `scripts/test --faults`: every fault point, both engines everywhere, and the proofs that
// the tests can fail.
const all = process.env['AIRDOCK_FAULTS'] === '1';

/** Cases for `test.each` and `describe.each`: the first ones always, the others in the long run only. */
export function cases<Case>(always: readonly Case[], inTheLongRun: readonly Case[]): Case[] {
  return all ? [...always, ...inTheLongRun] : [...always];
}
