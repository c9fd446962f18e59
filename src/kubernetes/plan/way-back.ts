import semver from 'semver';
import { runsOn } from '../../policy/migrations.ts';
import { AirdockError } from '../../errors.ts';
import type { ClusterRecord, ClusterTransaction } from '../record/record.ts';
import type { Revision } from '../../io/helm-releases.ts';
import { ranOf } from '../record/revisions.ts';
import { flagsOf, type KubernetesRelease } from '../record/site.ts';

/** Which revision a rollback goes to, and what has to become of the database. */

export type Way = {
  revision: number;
  version: string;
  from: string;
  kept: ClusterRecord['kept'][number] | undefined;
  /** With who made it: it lies on that machine. */
  backup: (Pick<ClusterTransaction, 'operator'> & { id: string }) | undefined;
  swaps: boolean;
};

/** @throws ROLLBACK_REFUSED, RESTORE_DATABASE_NEEDED, USAGE */
export function wayBack(
  site: KubernetesRelease,
  record: ClusterRecord,
  revisions: readonly Revision[],
  { to, restoreDatabase }: { to: string | undefined; restoreDatabase: boolean },
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
        hint: `helm history ${site.release} shows what there is.`,
      },
    );
  if (version === from && target.status === 'deployed')
    throw new AirdockError('ROLLBACK_REFUSED', `${version} is what runs`, {
      hint: 'airdock helm status shows what there is to go back to.',
    });
  if (record.securityFloor !== null && semver.lt(version, record.securityFloor))
    throw new AirdockError('ROLLBACK_REFUSED', `${version} is below the security floor ${record.securityFloor}`, {
      hint: `Go back to ${record.securityFloor} or later.`,
    });
  const schema = record.schemaRelease ?? from;
  const way = { revision: target.revision, version, from };
  if (runsOn(record.migrations, version, schema)) {
    if (!restoreDatabase) return { ...way, kept: undefined, backup: undefined, swaps: false };
    throw new AirdockError('USAGE', `the database need not go back: ${version} runs on the schema of ${schema}`, {
      hint: 'Leave --restore-database out.',
    });
  }
  const kept = record.kept.findLast(({ schemaRelease }) => runsOn(record.migrations, version, schemaRelease));
  const backup = record.transactions
    .flatMap(({ backup: id, from: of, operator }) =>
      id !== null && of !== null && runsOn(record.migrations, version, of) ? [{ id, operator }] : [],
    )
    .at(-1);
  const crossing = `${from} -> ${version} crosses a migration that code alone cannot: ${version} does not run on the schema of ${schema}`;
  if (!kept && backup === undefined)
    throw new AirdockError('ROLLBACK_REFUSED', `${crossing}, and no database is kept, nor a backup on record, that it runs on`, {
      hint: 'Stay.',
    });
  const found = { ...way, kept, backup, swaps: true };
  if (restoreDatabase) return found;
  throw new AirdockError('RESTORE_DATABASE_NEEDED', `${crossing}. The database must go back too: ${comesBack(found)} would.`, {
    hint: `To go on: airdock helm rollback ${to ?? version} --restore-database ${flagsOf(site)}`,
  });
}

/** Which database, in words. */
export function comesBack({ kept, backup }: Pick<Way, 'kept' | 'backup'>): string {
  return kept ? `${kept.name}, as it was at ${kept.keptAt}` : `the backup ${backup?.id}, made by ${backup?.operator}`;
}
