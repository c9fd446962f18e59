import semver from 'semver';
import type { BundleManifest } from '../bundle/manifest.ts';
import type { Finding } from './finding.ts';
import { runsOn, type KnownMigration } from './migrations.ts';
import { restoreFlag, savedElsewhereFlag, type Commands } from './upgrade-path.ts';

/** What a way back takes besides the code, and what forbids it, wherever the release runs. */

/**
 * `code`: the older code runs on the data that is here. `database`: an older database has to come back with it. `own-data`: the same,
 * and airdock has none: the release declares no database.
 */
export type Takes = 'code' | 'database' | 'own-data';

export function wayBackTakes(
  migrations: readonly KnownMigration[],
  { version, database }: { version: string; database: BundleManifest['database'] | undefined },
  schemaRelease: string,
): Takes {
  if (runsOn(migrations, version, schemaRelease)) return 'code';
  return database === 'none' ? 'own-data' : 'database';
}

/** The youngest one whose schema the code of that version runs on. */
export function youngestFitting<T extends { schemaRelease: string }>(
  migrations: readonly KnownMigration[],
  oldestFirst: readonly T[],
  version: string,
): T | undefined {
  return oldestFirst.findLast(({ schemaRelease }) => runsOn(migrations, version, schemaRelease));
}

/** The youngest proven backup that fits, else the youngest that fits. */
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
  /** Of the release that it goes to; undefined where the records do not say. */
  database: BundleManifest['database'] | undefined;
  /** Services that let users in last; undefined where a way back tries nothing before users come in. */
  traffic: readonly string[] | undefined;
  schemaRelease: string;
  securityFloor: string | null;
  migrations: readonly KnownMigration[];
  /** What would come back; null when nothing would. */
  comes: { backup: string | null; schemaRelease: string } | null;
  restoreDatabase: boolean;
  dataIsSavedElsewhere: boolean;
};

/**
 * @param says what comes back and what is left aside, where the operator did not ask for it yet
 * @returns what stands against it; what the operator has to agree to comes alone, when nothing else does
 */
export function wayBackFindings(way: WayBack, commands: Commands, says: () => string): Finding[] {
  const { from, version, migrations, schemaRelease: schema, securityFloor: floor, comes, traffic } = way;
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
      text: `${crossing}. The database must go back too${says()}`,
      fix: `To go on: ${commands.rollback(version, restoreFlag)}`,
    });
  return findings;
}

/** Undefined when the code of that version runs on what comes back. */
export function unfitBackup(
  { migrations, version }: Pick<WayBack, 'migrations' | 'version'>,
  { backup, schemaRelease }: NonNullable<WayBack['comes']>,
): Pick<Finding, 'code' | 'text'> | undefined {
  if (runsOn(migrations, version, schemaRelease)) return undefined;
  return {
    code: 'ROLLBACK_REFUSED',
    text: `the backup ${backup} has the schema of ${schemaRelease}, and ${version} does not run on that`,
  };
}
