import path from 'node:path';
import semver from 'semver';
import { runsOn } from '../bundle/class-of-path.ts';
import { maintenanceOf } from '../database/admin.ts';
import { restoreAndCompare, checkedBackup } from '../database/prove.ts';
import { readBackup } from '../database/stored-backup.ts';
import { AirdockError } from '../errors.ts';
import { asStep } from '../events.ts';
import { databasePlace, withDatabase, type LiveDatabase } from './database.ts';
import type { ClusterRecord, ClusterTransaction } from './record.ts';
import type { ClusterSite } from './site.ts';
import { asideName, clusterOf, copyName, keptBy, open, quiesce, scaleBack, swapBack, swapIn, waitScaled } from './swap.ts';
import { begin, end, failed, refuseOpen, type Running } from './transaction.ts';
import { chartObjects, type ChartObjects, type Workload } from './workloads.ts';

export type RollbackOptions = {
  /** A version, or helm's revision; the release before when neither is named. */
  to: string | undefined;
  restoreDatabase: boolean;
  timeoutSeconds: number;
  consent: (text: string) => Promise<void>;
};

/** What the record says of writers and of the database's variables: a way back needs no bundle. */
type Shape = NonNullable<ClusterRecord['shape']>;

/** `database`: where today's is kept, when another one came back. */
export type RolledBack = { transaction: number; from: string; to: string; revision: number | null; database: string | null };

type Way = {
  revision: number;
  version: string;
  from: string;
  kept: ClusterRecord['kept'][number] | undefined;
  backup: string | undefined;
  swaps: boolean;
};

/** @throws RESTORE_DATABASE_NEEDED, ROLLBACK_REFUSED, LOCKED; what failed and was taken back (6) */
export async function helmRollback(site: ClusterSite, options: RollbackOptions): Promise<RolledBack> {
  const record = await site.records.read();
  if (!record?.current)
    throw new AirdockError('NOT_A_DEPLOYMENT', `airdock has not worked on ${site.release} in ${site.kubectl.namespace}`, {
      hint: 'helm rollback takes the code back; whether the old code runs on this schema, only the vendor knows.',
    });
  refuseOpen(record);
  const way = await wayBack(site, record, options);
  await options.consent(describe(way));
  const started = async (): Promise<Running> =>
    begin(site, record, {
      kind: 'rollback',
      from: way.from,
      to: way.version,
      class: way.swaps ? 'irreversible' : 'expand',
      before: await deployedRevision(site),
    });
  if (!way.swaps) return codeAlone(site, options, record, way, await started());
  const shape = shapeOf(record);
  const objects = chartObjects(await site.helm.manifest(site.release));
  const place = await databasePlace(site, shape, objects);
  return withDatabase(site, place, shape.databaseImage ?? undefined, async (database) => {
    if (!database)
      throw new AirdockError('DATABASE_UNREACHABLE', 'the database of this release is not within reach', {
        hint: 'Restore it by hand: the operator’s book, section 10.',
      });
    const writers = objects.workloads.filter(({ service }) => shape.writers.includes(service));
    return databaseToo(site, options, record, way, { database, objects, writers, running: await started() });
  });
}

async function codeAlone(
  site: ClusterSite,
  { timeoutSeconds }: RollbackOptions,
  record: ClusterRecord,
  way: Way,
  running: Running,
): Promise<RolledBack> {
  const before = running.transaction.revisions.before;
  try {
    await asStep(site.host.listener, 'rollback', async () => {
      await site.helm.rollback(site.release, way.revision, { timeoutSeconds });
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
  { timeoutSeconds }: RollbackOptions,
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
  const aside = asideName(database.database, record.schemaRelease ?? way.from, running);
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
      await open(database, running, 'next');
      await site.helm.rollback(site.release, way.revision, { timeoutSeconds });
      const { undo } = running.transaction;
      if (undo) {
        await scaleBack(site, undo);
        await waitScaled(site, objects.workloads, undo, timeoutSeconds * 1000);
      }
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
  const name = copyName(running);
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

async function wayBack(site: ClusterSite, record: ClusterRecord, { to, restoreDatabase }: RollbackOptions): Promise<Way> {
  const from = record.current ?? '';
  const revisions = await site.helm.history(site.release);
  const usable = revisions.filter(({ status }) => status === 'superseded' || status === 'deployed');
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
  const backup =
    record.transactions.findLast(
      (one: ClusterTransaction) => one.backup !== null && one.from !== null && runsOn(record.migrations, version, one.from),
    )?.backup ?? undefined;
  const crossing = `${from} -> ${version} crosses a migration that code alone cannot: ${version} does not run on the schema of ${schema}`;
  if (!kept && backup === undefined)
    throw new AirdockError('ROLLBACK_REFUSED', `${crossing}, and no database is kept, nor a backup on record, that it runs on`, {
      hint: 'Stay.',
    });
  const found = { ...way, kept, backup, swaps: true };
  if (restoreDatabase) return found;
  throw new AirdockError('RESTORE_DATABASE_NEEDED', `${crossing}. The database must go back too.\n${describe(found)}`, {
    hint: `To go on: airdock helm rollback ${to ?? version} --restore-database`,
  });
}

function describe({ version, from, revision, kept, backup, swaps }: Way): string {
  const lines = [`${from} -> ${version}, as helm's revision ${revision} was`];
  if (!swaps) return [...lines, 'the database stays as it is; the old code runs on it'].join('\n');
  const source = kept ? `${kept.name}, as it was at ${kept.keptAt}` : `backup ${backup}`;
  return [
    ...lines,
    `the database goes back to ${source}`,
    `what was written since is kept beside it, and is not in what serves`,
    'writers stop meanwhile',
  ].join('\n');
}

async function deployedRevision(site: ClusterSite): Promise<number | null> {
  return (await site.helm.history(site.release)).findLast(({ status }) => status === 'deployed')?.revision ?? null;
}

/** Of the last bundle that was installed. @throws ROLLBACK_REFUSED where an older airdock did not keep it */
export function shapeOf({ shape }: ClusterRecord): Shape {
  if (shape) return shape;
  throw new AirdockError('ROLLBACK_REFUSED', 'the record does not say which workloads write to the database', {
    hint: 'Upgrade once with this airdock; then it does.',
  });
}
