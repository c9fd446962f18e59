import semver from 'semver';
import type { BundleManifest } from '../bundle/manifest.ts';
import type { Finding } from './finding.ts';
import { runsOn, type KnownMigration } from './migrations.ts';
import { restoreFlag, savedElsewhereFlag, type Commands } from './upgrade-path.ts';

/** The rules for a way back, on a VM and on Kubernetes. */

/**
 * What a way back needs. `code`: only the code, which runs on the current data. `database`: also an older database. `own-data`: also
 * older data, of which airdock has no copy, because the release declares no database.
 */
export type WayBackTakes = 'code' | 'database' | 'own-data';

export function wayBackTakes(
  migrations: readonly KnownMigration[],
  { version, database }: { version: string; database: BundleManifest['database'] | undefined },
  schemaRelease: string,
): WayBackTakes {
  if (runsOn(migrations, version, schemaRelease)) return 'code';
  return database === 'none' ? 'own-data' : 'database';
}

/** The newest entry whose schema the code of the version runs on. */
export function youngestFitting<T extends { schemaRelease: string }>(
  migrations: readonly KnownMigration[],
  oldestFirst: readonly T[],
  version: string,
): T | undefined {
  return oldestFirst.findLast(({ schemaRelease }) => runsOn(migrations, version, schemaRelease));
}

/** The newest proven backup that fits, or else the newest that fits. */
export function fittingBackup<T extends { schemaRelease: string | null; proven: boolean }>(
  migrations: readonly KnownMigration[],
  oldestFirst: readonly T[],
  version: string,
): T | undefined {
  const fitting = oldestFirst.filter(({ schemaRelease }) => schemaRelease !== null && runsOn(migrations, version, schemaRelease));
  return fitting.findLast(({ proven }) => proven) ?? fitting.at(-1);
}

export type WayBack = {
  from: string;
  version: string;
  /** The database that the target declares; undefined when the records do not have it. */
  database: BundleManifest['database'] | undefined;
  /** The target's traffic services; undefined when the way back does not test the release before users come in. */
  traffic: readonly string[] | undefined;
  schemaRelease: string;
  securityFloor: string | null;
  migrations: readonly KnownMigration[];
  /** The database that would be put in place; null when the database stays. */
  incoming: { backup: string | null; schemaRelease: string } | null;
  restoreDatabase: boolean;
  dataIsSavedElsewhere: boolean;
};

/**
 * @param restoreText describes which database comes back and which is put aside, for a finding that asks for consent
 * @returns the findings; one that asks for consent comes alone, when there are no others
 */
export function wayBackFindings(way: WayBack, commands: Commands, restoreText: () => string): Finding[] {
  const { from, version, migrations, schemaRelease: schema, securityFloor: floor, incoming: comes, traffic } = way;
  if (floor !== null && semver.lt(version, floor))
    return [
      {
        code: 'ROLLBACK_REFUSED',
        text: `${version} is below the security floor ${floor}`,
        fix: `Go back to ${floor} or later.`,
      },
    ];
  const takes = wayBackTakes(migrations, way, schema);
  const crossing = `${from} -> ${version} crosses an irreversible migration: the code of ${version} does not run on the schema of ${schema}`;
  const migrates = `Use ${commands.install} with the bundle of ${version}: it migrates.`;
  const forward = semver.gt(version, schema);
  const findings: Finding[] = [];
  if (takes === 'own-data') {
    if (way.restoreDatabase)
      return [
        {
          code: 'USAGE',
          text: `${version} declares no database: airdock has none of its data that could go back`,
          fix: `Put its data back yourself, and say so instead: ${commands.rollback(version, savedElsewhereFlag)}`,
        },
      ];
    if (way.dataIsSavedElsewhere) return [];
    return [
      {
        code: 'DATA_NOT_SAVED',
        text: `${crossing}, and ${version} declares no database: airdock has none of its data that could go back`,
        fix: `${forward ? `${migrates} Or put` : 'Put'} the data of ${version} back yourself, from your own backup, and say so: ${commands.rollback(version, savedElsewhereFlag)}`,
      },
    ];
  }
  if (takes === 'code' && way.restoreDatabase && !comes)
    findings.push({
      code: 'USAGE',
      text: `the database does not have to go back: ${version} runs on the schema of ${schema}`,
      fix: `Leave ${restoreFlag} out.`,
    });
  if (takes === 'database' && !comes)
    findings.push({
      code: 'ROLLBACK_REFUSED',
      text: `${crossing}, and neither a kept database nor a backup here fits ${version}`,
      fix: forward ? migrates : `Stay on ${from}, or restore by hand: the operator’s book, section 10.`,
    });
  const unfit = comes && unfitBackup(way, comes);
  if (unfit) findings.push({ ...unfit, fix: `Go to that release first: ${commands.rollback(comes.schemaRelease, restoreFlag)}` });
  if (comes && traffic?.length === 0)
    findings.push({
      code: 'ROLLBACK_REFUSED',
      text: `${version} declares no traffic services: it cannot be tried before users come in`,
      fix: `Stay on ${from}, or restore by hand: the operator’s book, section 10.`,
    });
  if (findings.length === 0 && takes === 'database' && !way.restoreDatabase)
    findings.push({
      code: 'RESTORE_DATABASE_NEEDED',
      text: `${crossing}. The database must go back too${restoreText()}`,
      fix: `To go on: ${commands.rollback(version, restoreFlag)}`,
    });
  return findings;
}

/** A finding when the code of the version does not run on the backup's schema. */
export function unfitBackup(
  { migrations, version }: Pick<WayBack, 'migrations' | 'version'>,
  { backup, schemaRelease }: NonNullable<WayBack['incoming']>,
): Pick<Finding, 'code' | 'text'> | undefined {
  if (runsOn(migrations, version, schemaRelease)) return undefined;
  return {
    code: 'ROLLBACK_REFUSED',
    text: `the backup ${backup} has the schema of ${schemaRelease}, and ${version} does not run on that`,
  };
}
