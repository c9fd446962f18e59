import semver from 'semver';

/** What a deployment on a VM, or a release on Kubernetes, has reached. */
export type Reached = {
  /** The highest release whose migrations the live database may have. */
  schemaRelease: string | null;
  /** The highest release that ran well: an older one is a downgrade. */
  highestGood: string | null;
  /** Nothing below it is installed or gone back to. */
  securityFloor: string | null;
};

/**
 * What is reached once a release was found to run well, whether it was installed, upgraded to, adopted or gone back to. Nothing is
 * taken back by an older release. After a way back that brought another database in, `known` has that database's schema.
 */
export function reachedAfter(
  known: Reached | undefined,
  { version, securityFloor }: { version: string; securityFloor?: string | undefined },
): { schemaRelease: string; highestGood: string; securityFloor: string | null } {
  const floor = known?.securityFloor ?? null;
  return {
    schemaRelease: higherVersion(known?.schemaRelease ?? null, version),
    highestGood: higherVersion(known?.highestGood ?? null, version),
    securityFloor: securityFloor === undefined ? floor : higherVersion(floor, securityFloor),
  };
}

/** What was reached stays reached: a downgrade that was allowed takes nothing back of it. */
export function higherVersion(known: string | null, reached: string): string {
  return known !== null && semver.gt(known, reached) ? known : reached;
}
