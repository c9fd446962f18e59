import semver from 'semver';
import { assertNoFinding } from '../../policy/finding.ts';
import { wayBackFindings, wayBackTakes, youngestFitting } from '../../policy/way-back.ts';
import { AirdockError } from '../../errors.ts';
import type { ClusterRecord, ClusterTransaction } from '../record/record.ts';
import type { Revision } from '../../io/helm-releases.ts';
import { ranOf } from '../record/revisions.ts';
import { commandsOf, type KubernetesRelease } from '../record/site.ts';

/** Which revision a rollback goes to, and which database goes with it. */

export type Way = {
  revision: number;
  version: string;
  from: string;
  kept: ClusterRecord['kept'][number] | undefined;
  /** The backup, and who made it: it lies on that person's machine. */
  backup: (Pick<ClusterTransaction, 'operator'> & { id: string }) | undefined;
  /** Another database takes the place of the live one. */
  swaps: boolean;
  /** Only the code goes back, across an irreversible migration: the operator has put the data back. */
  ownData: boolean;
};

export type WayAsked = { to: string | undefined; restoreDatabase: boolean; dataIsSavedElsewhere: boolean };

/** @throws ROLLBACK_REFUSED, RESTORE_DATABASE_NEEDED, DATA_NOT_SAVED, USAGE */
export function wayBack(
  site: KubernetesRelease,
  record: ClusterRecord,
  revisions: readonly Revision[],
  { to, restoreDatabase, dataIsSavedElsewhere }: WayAsked,
): Way {
  const from = record.current ?? '';
  const usable = ranOf(revisions);
  const target =
    to === undefined
      ? usable.findLast(({ app_version: version }) => version !== from)
      : usable.findLast(({ revision, app_version: version }) => version === to || String(revision) === to);
  const version = semver.valid(target?.app_version ?? null);
  if (!target || version === null)
    throw new AirdockError(
      'ROLLBACK_REFUSED',
      to === undefined ? 'helm keeps no other release to go back to' : `helm keeps no revision of ${to} that ran`,
      {
        hint: `helm history ${site.release} lists the revisions.`,
      },
    );
  if (version === from && target.status === 'deployed')
    throw new AirdockError('ROLLBACK_REFUSED', `${version} is the running release`, {
      hint: 'airdock helm status lists the releases to go back to.',
    });
  const commands = commandsOf(site);
  const { migrations, shape, securityFloor } = record;
  const schemaRelease = record.schemaRelease ?? from;
  const takes = wayBackTakes(migrations, { version, database: shape?.database }, schemaRelease);
  const backups = record.transactions.flatMap(({ backup: id, from: release, operator }) =>
    id !== null && release !== null ? [{ id, operator, schemaRelease: release }] : [],
  );
  const kept = takes === 'database' ? youngestFitting(migrations, record.kept, version) : undefined;
  // the youngest: each backup here was made by an upgrade, and an older one lacks the rows that were written after it
  const backup = takes === 'database' ? youngestFitting(migrations, backups, version) : undefined;
  const comes = kept ? { ...kept, backup: null } : backup ? { ...backup, backup: backup.id } : null;
  assertNoFinding(
    wayBackFindings(
      {
        from,
        version,
        database: shape?.database,
        traffic: undefined,
        schemaRelease,
        securityFloor,
        migrations,
        incoming: comes,
        restoreDatabase,
        dataIsSavedElsewhere,
      },
      // the command names what the operator named: a version or a revision
      { ...commands, rollback: (named, flag) => commands.rollback(named === version ? (to ?? version) : named, flag) },
      () => `: ${comesBack({ kept, backup })} would.`,
    ),
  );
  const { revision } = target;
  return { revision, version, from, kept, backup, swaps: comes !== null, ownData: takes === 'own-data' };
}

/** Describes the database that comes back. */
export function comesBack({ kept, backup }: Pick<Way, 'kept' | 'backup'>): string {
  return kept ? `${kept.name}, as it was at ${kept.keptAt}` : `the backup ${backup?.id}, made by ${backup?.operator}`;
}
