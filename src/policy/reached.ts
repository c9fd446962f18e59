import semver from 'semver';

/** The limits that a deployment has reached, on a VM or on Kubernetes. */
export type Reached = {
  /** The highest release whose migrations the live database may have. */
  schemaRelease: string | null;
  /** The highest release that was good here; to install an older one is a downgrade. */
  highestGood: string | null;
  /** No release below it may be installed or be the target of a rollback. */
  securityFloor: string | null;
};

/**
 * The limits after a release became good, by an install, an upgrade, an adoption or a rollback. An older release never lowers them.
 * After a rollback that put another database in place, `known` has that database's schema.
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

/** The higher of two versions: an allowed downgrade never lowers a limit. */
export function higherVersion(known: string | null, reached: string): string {
  return known !== null && semver.gt(known, reached) ? known : reached;
}
