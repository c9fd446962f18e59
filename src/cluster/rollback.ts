import path from 'node:path';
import { maintenanceOf } from '../database/admin.ts';
import { restoreAndCompare, checkedBackup } from '../database/prove.ts';
import { readBackup } from '../database/stored-backup.ts';
import { asideName, nextName } from '../database/swap-names.ts';
import { AirdockError } from '../errors.ts';
import { asStep } from '../events.ts';
import { conflictFix, fieldConflicts } from './conflicts.ts';
import { databasePlace, withDatabase, type LiveDatabase } from './database.ts';
import { shapeOf, type ClusterRecord } from './record.ts';
import { deployedOf } from './revisions.ts';
import type { ClusterSite } from './site.ts';
import { bringUp, clusterOf, keptBy, open, quiesce, scaleBack, swapBack, swapIn, writersOf } from './swap.ts';
import { begin, end, failed, refuseOpen, type Running } from './transaction.ts';
import { describe, wayBack, type Way } from './way-back.ts';
import { chartObjects, type ChartObjects, type Workload } from './workloads.ts';

export type RollbackOptions = {
  /** A version, or helm's revision; the release before when neither is named. */
  to: string | undefined;
  restoreDatabase: boolean;
  timeoutSeconds: number;
  forceConflicts: boolean;
  consent: (text: string) => Promise<void>;
};

/** `database`: where today's is kept, when another one came back. */
export type RolledBack = { transaction: number; from: string; to: string; revision: number | null; database: string | null };

/** @throws RESTORE_DATABASE_NEEDED, ROLLBACK_REFUSED, LOCKED; what failed and was taken back (6) */
export async function helmRollback(site: ClusterSite, options: RollbackOptions): Promise<RolledBack> {
  const record = await site.records.read();
  if (!record?.current)
    throw new AirdockError('NOT_A_DEPLOYMENT', `airdock has not worked on ${site.release} in ${site.kubectl.namespace}`, {
      hint: 'helm rollback takes the code back; whether the old code runs on this schema, only the vendor knows.',
    });
  refuseOpen(site, record);
  const way = await wayBack(site, record, options);
  const objects = chartObjects(await site.helm.manifest(site.release));
  const forceConflicts = options.forceConflicts && (await site.helm.appliesServerSide(site.release));
  if (!options.forceConflicts) await refuseConflicts(site, way);
  await options.consent(describe(way));
  const started = async (): Promise<Running> =>
    begin(site, record, {
      kind: 'rollback',
      from: way.from,
      to: way.version,
      class: way.swaps ? 'irreversible' : 'expand',
      before: await deployedRevision(site),
    });
  if (!way.swaps) return codeAlone(site, { ...options, forceConflicts }, record, way, await started());
  const shape = shapeOf(record);
  const place = await databasePlace(site, shape, objects);
  return withDatabase(site, place, shape.databaseImage ?? undefined, async (database) => {
    if (!database)
      throw new AirdockError('DATABASE_UNREACHABLE', 'the database of this release is not within reach', {
        hint: 'Restore it by hand: the operator’s book, section 10.',
      });
    const writers = writersOf(shape, objects);
    return databaseToo(site, { ...options, forceConflicts }, record, way, {
      database,
      objects,
      writers,
      running: await started(),
    });
  });
}

async function refuseConflicts(site: ClusterSite, { revision }: Way): Promise<void> {
  const conflicts = await fieldConflicts(site, await site.helm.manifest(site.release, revision));
  if (conflicts.length === 0) return;
  throw new AirdockError('OWNED_BY_ANOTHER', `somebody else set what helm would set: ${conflicts.join('\n')}`, {
    hint: conflictFix,
  });
}

async function codeAlone(
  site: ClusterSite,
  { timeoutSeconds, forceConflicts }: RollbackOptions,
  record: ClusterRecord,
  way: Way,
  running: Running,
): Promise<RolledBack> {
  const before = running.transaction.revisions.before;
  try {
    await asStep(site.host.listener, 'rollback', async () => {
      await site.helm.rollback(site.release, way.revision, { timeoutSeconds, forceConflicts });
      return { summary: `as revision ${way.revision} was` };
    });
  } catch (error) {
    return failed(site, running, error, async () => {
      if (before !== null) await site.helm.rollback(site.release, before, { timeoutSeconds });
      return { outcome: 'rolled-back', summary: `${way.from} is serving again` };
    });
  }
  return finish(site, running, way, record, null);
}

/** The database goes back first, and then the code: the old one never runs on a schema that it does not know. */
async function databaseToo(
  site: ClusterSite,
  { timeoutSeconds, forceConflicts }: RollbackOptions,
  record: ClusterRecord,
  way: Way,
  {
    database,
    objects,
    writers,
    running,
  }: { database: LiveDatabase; objects: ChartObjects; writers: Workload[]; running: Running },
): Promise<RolledBack> {
  const { listener } = site.host;
  const before = running.transaction.revisions.before;
  const aside = asideName(database.database, record.schemaRelease ?? way.from, running.transaction.id);
  try {
    const coming = way.kept?.name ?? (await restored(site, running, database, way.backup ?? ''));
    await asStep(listener, 'quiesce', async () => {
      await quiesce(site, running, database, writers);
      return { summary: `${writers.map(({ service }) => service).join(', ')} stopped` };
    });
    await asStep(listener, 'swap', async () => {
      await swapIn(site, running, database, coming, aside);
      return { summary: `${coming} is live, today’s is kept as ${aside}` };
    });
    await asStep(listener, 'rollback', async () => {
      await open(database, running);
      await site.helm.rollback(site.release, way.revision, { timeoutSeconds, forceConflicts });
      const { undo } = running.transaction;
      if (undo) await bringUp(site, objects.workloads, undo, timeoutSeconds * 1000);
      return { summary: `as revision ${way.revision} was` };
    });
  } catch (error) {
    return failed(site, running, error, async () => {
      const { undo } = running.transaction;
      if (!undo) return { outcome: 'undone', summary: `${way.from} is serving, untouched` };
      await swapBack(database, running, way.kept !== undefined);
      if (before !== null) await site.helm.rollback(site.release, before, { timeoutSeconds });
      await scaleBack(site, undo);
      return { outcome: 'rolled-back', summary: `${way.from} is serving again` };
    });
  }
  return finish(site, running, way, record, aside);
}

/** A backup as a new database beside the live one, compared, while users are served. @returns its name */
async function restored(site: ClusterSite, running: Running, server: LiveDatabase, id: string): Promise<string> {
  const { listener, signal } = site.host;
  const name = nextName(running.transaction.id);
  await asStep(listener, 'restore', async (onProgress) => {
    const backup = await checkedBackup(site, await readBackup(path.join(site.backupDirectory, id)), signal);
    const { applicationName, ...cluster } = clusterOf(server, running);
    const there = { ...cluster, database: maintenanceOf(server.database) };
    await restoreAndCompare(site, there, backup, { name, applicationName, signal, onProgress });
    return { summary: `${id}, equal` };
  });
  return name;
}

async function finish(
  site: ClusterSite,
  running: Running,
  way: Way,
  record: ClusterRecord,
  aside: string | null,
): Promise<RolledBack> {
  const revision = await deployedRevision(site);
  const put = keptBy(site, running, way.from);
  await end(
    site,
    running,
    'done',
    { revisions: { before: running.transaction.revisions.before, after: revision } },
    {
      current: way.version,
      ...(way.swaps ? { schemaRelease: way.kept?.schemaRelease ?? way.version } : {}),
      kept: [...record.kept.filter(({ oid }) => oid !== way.kept?.oid), ...put],
    },
  );
  return { transaction: running.transaction.id, from: way.from, to: way.version, revision, database: aside };
}

async function deployedRevision(site: ClusterSite): Promise<number | null> {
  return deployedOf(await site.helm.history(site.release))?.revision ?? null;
}
