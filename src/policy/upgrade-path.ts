import semver from 'semver';
import type { BundleManifest, MigrationClass } from '../bundle/manifest.ts';
import type { Finding } from './finding.ts';
import { runsOn, type KnownMigration } from './migrations.ts';
import { higherVersion } from './reached.ts';

/** The rules for the path of an upgrade or a first install, on a VM and on Kubernetes. */

/** The state of the deployment, the target, and what the operator allowed. */
export type UpgradePath = {
  /** The product that is installed here; null before the first install. */
  product: string | null;
  /** The machine's platform; undefined when there may be machines of several platforms. */
  platform?: string | undefined;
  /** The release that runs; null before the first install. */
  from: string | null;
  highestGood: string | null;
  /** The highest release whose migrations the database may have. */
  schemaRelease: string | null;
  securityFloor: string | null;
  /** All known migrations, those of the target's bundle included. */
  migrations: readonly KnownMigration[];
  pathClass: MigrationClass | 'unknown';
  target: Pick<BundleManifest, 'product' | 'version' | 'platform' | 'upgrade' | 'traffic' | 'database'>;
  allowDowngrade: boolean;
  dataIsSavedElsewhere: boolean;
};

/** The commands that fixes name, on a VM or on Kubernetes. */
export type Commands = {
  /** What a product is installed in: a deployment, or a helm release. */
  place: string;
  anotherPlace: string;
  install: string;
  /** A whole command line. */
  rollback: (version: string, flag?: typeof restoreFlag | typeof savedElsewhereFlag) => string;
};

export const restoreFlag = '--restore-database';
export const savedElsewhereFlag = '--data-is-saved-elsewhere';

/** @returns at most one finding of each rule */
export function pathFindings(path: UpgradePath, commands: Commands): Finding[] {
  return [productFinding, platformFinding, downgradeFinding, rangeFinding, stopFinding, trafficFinding, dataFinding].flatMap(
    (rule) => rule(path, commands) ?? [],
  );
}

export function productFinding(
  { product, target }: Pick<UpgradePath, 'product' | 'target'>,
  { place, anotherPlace }: Pick<Commands, 'place' | 'anotherPlace'>,
): Finding | undefined {
  if (product === null || product === target.product) return undefined;
  return { code: 'PRODUCT_MISMATCH', text: `${place} is ${product}, the bundle is ${target.product}`, fix: anotherPlace };
}

export function platformFinding({ platform, target }: Pick<UpgradePath, 'platform' | 'target'>): Finding | undefined {
  if (platform === undefined || platform === target.platform) return undefined;
  return {
    code: 'PLATFORM_MISMATCH',
    text: `the bundle is for ${target.platform}, this engine is ${platform}`,
    fix: `Ask the vendor for the bundle for ${platform}.`,
  };
}

/**
 * A release below the security floor, or whose code does not run on the schema, is refused even with `--allow-downgrade`. Only the
 * strongest rule gives a finding, because the fix of a weaker rule would only lead to the stronger one.
 */
function downgradeFinding(path: UpgradePath, commands: Commands): Finding | undefined {
  const { from, securityFloor, migrations, allowDowngrade, target } = path;
  const { version } = target;
  const code = 'DOWNGRADE_REFUSED';
  if (securityFloor !== null && semver.lt(version, securityFloor))
    return {
      code,
      text: `${version} is below the security floor ${securityFloor}`,
      fix: `Install ${securityFloor} or later.`,
    };
  const schema = higherOf(path.schemaRelease, from);
  if (schema !== null && semver.lt(version, schema) && !runsOn(migrations, version, schema))
    return {
      code,
      text: `${version} does not run on the data of ${schema}, which is here`,
      fix:
        from === null
          ? `Install ${schema} or later.`
          : `To go back with the data: ${commands.rollback(version, target.database === 'none' ? savedElsewhereFlag : restoreFlag)}`,
    };
  const ran = higherOf(higherOf(path.highestGood, from), from === null ? path.schemaRelease : null);
  if (ran === null || allowDowngrade || semver.gte(version, ran)) return undefined;
  const allowed = 'with --allow-downgrade it is installed all the same: its code runs on the data that is here.';
  return {
    code,
    text: `${version} is older than ${ran}, which ran here`,
    fix:
      from === null
        ? `Install ${ran} or later; ${allowed}`
        : semver.gt(version, from)
          ? `Install ${ran}; ${allowed}`
          : `To go back: ${commands.rollback(version)}; if ${version} is not kept here, ${allowed}`,
  };
}

function rangeFinding({ from, target: { version, upgrade } }: UpgradePath): Finding | undefined {
  if (from === null || semver.satisfies(from, upgrade.from, { includePrerelease: true })) return undefined;
  const stop = upgrade.stops.find((candidate) => semver.gt(candidate, from));
  return {
    code: 'UPGRADE_PATH_REFUSED',
    text: `${version} upgrades from ${upgrade.from} only, ${from} runs here`,
    fix: stop === undefined ? `Install a release that satisfies ${upgrade.from} first.` : `Install ${stop} first.`,
  };
}

function stopFinding({ from, target: { version, upgrade } }: UpgradePath): Finding | undefined {
  const stop = upgrade.stops.find((candidate) => from !== null && semver.gt(candidate, from) && semver.lt(candidate, version));
  if (stop === undefined) return undefined;
  return {
    code: 'UPGRADE_PATH_REFUSED',
    text: `the way from ${from} to ${version} stops at ${stop}`,
    fix: `Install ${stop} first.`,
  };
}

function trafficFinding({ pathClass, target: { version, database, traffic } }: UpgradePath): Finding | undefined {
  if (pathClass !== 'irreversible' || database === 'none' || traffic.length > 0) return undefined;
  return {
    code: 'UPGRADE_PATH_REFUSED',
    text: `${version} has an irreversible migration and declares no traffic services: there is no moment to go back before users come in`,
    fix: 'Ask the vendor for a release whose bundle.config.ts names them under traffic.',
  };
}

/** Whether the path has an irreversible migration, and airdock makes no copy of the data. */
export function leavesDataUnsaved({ pathClass, target }: Pick<UpgradePath, 'pathClass' | 'target'>): boolean {
  return pathClass === 'irreversible' && target.database === 'none';
}

function dataFinding(path: UpgradePath): Finding | undefined {
  if (!leavesDataUnsaved(path) || path.dataIsSavedElsewhere) return undefined;
  const { from, target } = path;
  return {
    code: 'DATA_NOT_SAVED',
    text: `the way to ${target.version} cannot be taken back by code, and ${target.version} declares no database: airdock saves nothing of its data`,
    fix: `Back the data up yourself, in a way that ${from ?? 'the older release'} can be given it back. Then add ${savedElsewhereFlag}`,
  };
}

function higherOf(first: string | null, second: string | null): string | null {
  return second === null ? first : higherVersion(first, second);
}
