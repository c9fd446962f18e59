import path from 'node:path';
import type { Finding } from '../../policy/finding.ts';
import { restoreFlag, savedElsewhereFlag } from '../../policy/upgrade-path.ts';
import { unfitBackup } from '../../policy/way-back.ts';
import { AirdockError } from '../../errors.ts';
import { readIfExists } from '../../io/files.ts';
import { conflictFix, fieldConflicts } from './conflicts.ts';
import { databasePlace, sizeOf, withDatabase, type LiveDatabase } from '../database/access.ts';
import { withRowsSince, type RowsSince } from '../database/rows-left-aside.ts';
import { ownerFindings, ownersOf } from './owners.ts';
import { databaseOf, type HelmPlan } from './plan.ts';
import { shapeOf, type ClusterRecord } from '../record/record.ts';
import { servingOf } from '../record/revisions.ts';
import { commandsOf, type KubernetesRelease } from '../record/site.ts';
import { keptOnServer } from '../database/access.ts';
import { refuseOpen } from '../record/transaction.ts';
import { comesBack, wayBack, type Way, type WayAsked } from './way-back.ts';
import { chartObjects, type ChartObjects } from '../pods/workloads.ts';

export type WayOptions = WayAsked & { forceConflicts: boolean; ownerSuspended: boolean };

/** What is known of a rollback before the operator agrees to it. */
export type RollbackFacts = {
  record: ClusterRecord;
  way: Way;
  plan: HelmPlan;
  /** The chart's objects as they run now. */
  objects: ChartObjects;
  /** The live database; undefined where only the code goes back. */
  database: LiveDatabase | undefined;
  rows: RowsSince | undefined;
  /** The number of helm's last revision when the facts were read. */
  last: number | null;
};

/**
 * Reads only; a kept database is opened for as long as its rows are read. A database outside the cluster stays in reach for `work`.
 * @throws NOT_A_DEPLOYMENT, LOCKED, ROLLBACK_REFUSED, RESTORE_DATABASE_NEEDED, DATA_NOT_SAVED, USAGE, DATABASE_UNREACHABLE
 */
export async function withRollbackFacts<T>(
  site: KubernetesRelease,
  options: WayOptions,
  work: (facts: RollbackFacts) => Promise<T>,
): Promise<T> {
  const { release, helm, kubectl } = site;
  const record = await site.records.read();
  if (!record?.current)
    throw new AirdockError('NOT_A_DEPLOYMENT', `airdock has not worked on ${release} in ${kubectl.namespace}`, {
      hint: 'helm rollback takes the code back. Ask the vendor whether the old code runs on this schema.',
    });
  refuseOpen(site, record);
  const revisions = await helm.history(release);
  const way = wayBack(site, record, revisions, options);
  const objects = chartObjects(await helm.manifest(release));
  const conflicts = options.forceConflicts ? [] : await fieldConflicts(site, await helm.manifest(release, way.revision));
  const owners = ownerFindings(await ownersOf(site, objects.workloads), {
    irreversible: way.swaps,
    suspended: options.ownerSuspended,
    instead: 'Go back there.',
  });
  const revision = servingOf(revisions, record)?.revision ?? null;
  const base = planRollback(site, record, way, { conflicts, owners, revision });
  const last = revisions.at(-1)?.revision ?? null;
  if (!way.swaps) return work({ record, last, way, objects, plan: base, database: undefined, rows: undefined });
  const shape = shapeOf(record);
  const place = await databasePlace(site, shape, objects);
  return withDatabase(site, place, shape.databaseImage ?? undefined, async (database) => {
    if (!place || !database)
      throw new AirdockError('DATABASE_UNREACHABLE', 'the database of this release cannot be reached', {
        hint: 'Restore it by hand, as section 10 of the operator’s book describes.',
      });
    const checkedRecord = { ...record, kept: await keptOnServer(database, record) };
    const checkedWay = wayBack(site, checkedRecord, revisions, options);
    if (!checkedWay.kept) await assertBackupHere(site, checkedRecord, checkedWay);
    return withRowsSince(site, database, checkedWay.kept, async (rows) => {
      const plan: HelmPlan = {
        ...planRollback(site, checkedRecord, checkedWay, { conflicts, owners, revision }),
        database: databaseOf(place, await sizeOf(site, place)),
        comesBack: comesBack(checkedWay),
        since: rows?.since ?? null,
      };
      return work({ record: checkedRecord, last, way: checkedWay, objects, plan, database, rows });
    });
  });
}

async function assertBackupHere(
  { backupDirectory }: KubernetesRelease,
  { migrations }: ClusterRecord,
  { backup, version }: Way,
): Promise<void> {
  if (!backup) return;
  const metadata = await readIfExists(path.join(backupDirectory, backup.id, 'metadata.json'));
  const { schemaRelease } = metadata ? (JSON.parse(metadata.toString()) as { schemaRelease?: string | null }) : {};
  const unfit =
    typeof schemaRelease === 'string' ? unfitBackup({ migrations, version }, { backup: backup.id, schemaRelease }) : undefined;
  if (unfit)
    throw new AirdockError('ROLLBACK_REFUSED', unfit.text, {
      hint: 'Nothing was changed. Section 10 of the operator’s book describes how to restore an older backup by hand.',
    });
  if (metadata) return;
  throw new AirdockError(
    'ROLLBACK_REFUSED',
    `no database is kept to go back to, and the backup ${backup.id} is not in ${backupDirectory}: ${backup.operator} made it`,
    { hint: 'Nothing was changed. Copy the backup’s folder from that machine, or name its place with --backup-dir.' },
  );
}

function planRollback(
  site: KubernetesRelease,
  { product, shape }: ClusterRecord,
  { from, version, swaps, ownData, kept, revision: toRevision }: Way,
  { conflicts, owners, revision }: { conflicts: readonly string[]; owners: readonly Finding[]; revision: number | null },
): HelmPlan {
  const flag = swaps ? restoreFlag : ownData ? savedElsewhereFlag : undefined;
  const forward = `to ${from} again${ownData ? ', once you have put its data back' : ''}: ${commandsOf(site).rollback(from, flag)}`;
  return {
    schema: 'airdock.helm-plan/1',
    product,
    release: site.release,
    namespace: site.kubectl.namespace,
    kind: 'rollback',
    from,
    to: version,
    class: swaps || ownData ? 'irreversible' : 'expand',
    revision,
    toRevision,
    database: null,
    steps: [...(swaps ? [...(kept ? [] : ['restore']), 'quiesce', 'swap'] : []), 'rollback', 'health'],
    stops: swaps ? (shape?.writers ?? []) : [],
    comesBack: null,
    since: null,
    unsavedData: ownData,
    rollback: forward,
    findings: [
      ...owners,
      ...conflicts.map((conflict) => ({
        code: 'OWNED_BY_ANOTHER' as const,
        text: `somebody else set a field that helm would set to another value: ${conflict}`,
        fix: conflictFix,
      })),
    ],
  };
}
