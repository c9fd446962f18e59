import semver from 'semver';

/** What was reached stays reached: a downgrade that was allowed takes nothing back of it. */
export function higherVersion(known: string | null, reached: string): string {
  return known !== null && semver.gt(known, reached) ? known : reached;
}

/** The security floor after a release that declares one, or none. */
export function floorAfter(known: string | null, declared: string | undefined): string | null {
  return declared === undefined ? known : higherVersion(known, declared);
}
