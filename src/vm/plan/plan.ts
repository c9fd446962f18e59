import semver from 'semver';
import { databaseServiceOf, type MigrationClass } from '../../bundle/manifest.ts';
import { classOfPath, withMigrations } from '../../policy/migrations.ts';
import { leavesDataUnsaved, restoreFlag, savedElsewhereFlag } from '../../policy/upgrade-path.ts';
import { wayBackTakes } from '../../policy/way-back.ts';
import { diskFindings } from './preflight/disk.ts';
import type { Facts } from './facts.ts';
import { pathFindings } from './path-findings.ts';
import type { Plan, StepId } from './document.ts';
import { assertNoFinding } from '../../policy/finding.ts';

/** The plan, made from facts alone: the same facts give the same plan. */

/** The steps of a transaction, in order (docs/adr/0001-transaction.md). */
export function stepsOf(
  kind: Plan['kind'],
  pathClass: MigrationClass | 'unknown',
  options: { database: boolean; recreatesDatabase: boolean; hasData: boolean; rehearse: boolean; restore?: Plan['restore'] },
): StepId[] {
  const database: StepId[] = options.recreatesDatabase ? ['database-service'] : [];
  const opened: StepId[] = ['traffic', 'external'];
  if (kind === 'rollback' && options.restore) {
    const restore: StepId[] = options.restore.kept === null ? ['restore'] : [];
    return ['load', ...restore, 'quiesce', 'swap', 'switch', ...database, 'up', 'health', 'good', ...opened];
  }
  if (kind === 'rollback') return ['load', 'switch', ...database, 'up', 'health', 'good'];
  const backup: StepId[] = options.database ? ['backup'] : [];
  if (kind === 'install') {
    // a first install that was tried before may have left rows in its volumes
    const prepare: StepId[] = options.database ? [...(options.hasData ? backup : []), 'migrate'] : [];
    return ['import', 'load', 'switch', 'dependencies', ...prepare, 'up', 'health', 'good'];
  }
  const rehearse: StepId[] = options.database && options.rehearse ? ['rehearse'] : [];
  if (options.database && pathClass === 'irreversible') {
    const across: StepId[] = ['quiesce', 'copy', 'migrate', 'swap'];
    return ['import', 'load', ...backup, ...rehearse, ...across, 'switch', ...database, 'up', 'health', 'good', ...opened];
  }
  const migrate: StepId[] = options.database && pathClass !== 'none' ? ['migrate'] : [];
  return ['import', 'load', ...backup, ...rehearse, ...migrate, 'switch', ...database, 'up', 'health', 'good'];
}

/** @returns the plan; what stands against it is in `findings`, all of it at once */
export function makePlan(facts: Facts): Plan {
  const { target, deployment, kind } = facts;
  const from = deployment?.current ?? null;
  const pathClass = planClass(facts);
  const steps = stepsOf(kind, pathClass, {
    database: target.database !== 'none',
    recreatesDatabase: facts.recreated.includes(databaseServiceOf(target) ?? ''),
    hasData: facts.volumes.length > 0,
    restore: facts.restore,
    rehearse: facts.rehearse,
  });
  const timed = steps.map((id) => ({
    id,
    stop: stops.has(id) || (quiet.has(id) && steps.includes('quiesce')),
    estimate: estimate(id, facts),
  }));
  return {
    schema: 'airdock.plan/1',
    kind,
    product: target.product,
    directory: facts.directory,
    project: facts.project,
    from,
    to: target.version,
    class: pathClass,
    summaries: target.migrations
      .filter((entry) => from !== null && kind === 'upgrade' && semver.gt(entry.version, from) && entry.class !== 'none')
      .map((entry) => `${entry.version}: ${entry.summary}`),
    signer: facts.signer,
    created: target.created,
    images: [
      ...facts.load.present.map((entry) => imageLine(entry, 'present')),
      ...facts.load.tag.map((entry) => imageLine(entry, 'tag')),
      ...facts.load.load.map((entry) => imageLine(entry, 'load')),
    ].toSorted((a, b) => a.reference.localeCompare(b.reference)),
    read: { blobs: facts.missingBlobs.length, bytes: facts.missingBlobs.reduce((sum, blob) => sum + blob.size, 0) },
    load: { bytes: facts.load.bytes },
    database: facts.database,
    backup: steps.includes('backup') ? { proven: steps.includes('rehearse'), with: takenAlong(facts) } : null,
    env: facts.env,
    disk: facts.disk.map((disk) => ({ ...disk, total: disk.needs.reduce((sum, need) => sum + need.bytes, 0) })),
    steps: timed,
    recreated: facts.recreated,
    removed: facts.removed,
    added: facts.added,
    restore: facts.restore,
    aside: facts.aside,
    since: facts.since,
    redis: redisEffect(facts),
    unsavedData: hasUnsavedData(facts, pathClass),
    rollback: rollbackLine(facts, pathClass),
    findings: [...facts.findings, ...pathFindings(facts, pathClass, stopSeconds(timed)), ...diskFindings(facts.disk)],
  };
}

/** Steps during which the old version does not answer any more and the new one not yet; `quiet` ones behind a quiesce only. */
const stops = new Set<StepId>(['quiesce', 'copy', 'swap', 'database-service', 'up']);
const quiet = new Set<StepId>(['migrate', 'switch']);

/** Seconds without an answer, an estimate. */
export function stopSeconds(steps: Plan['steps']): number {
  return steps.filter((step) => step.stop).reduce((sum, step) => sum + step.estimate, 0);
}

function takenAlong({ target: { redis }, saved }: Facts): string[] {
  return [...(redis?.kind === 'state' ? [redis.service] : []), ...saved.map((name) => `volume ${name}`)];
}

function redisEffect({ target: { redis }, restore }: Facts): Plan['redis'] {
  return redis && restore ? { service: redis.service, effect: redis.kind === 'cache' ? 'emptied' : 'stays' } : null;
}

function planClass({ kind, target, deployment, migrations }: Facts): Plan['class'] {
  const from = deployment?.current ?? null;
  if (kind === 'install' || from === null) return 'none';
  if (kind === 'rollback') {
    const schema = deployment?.schemaRelease ?? from;
    return semver.gt(target.version, schema)
      ? classOfPath(migrations, schema, target.version)
      : classOfPath(migrations, target.version, schema);
  }
  return classOfPath(withMigrations(migrations, target.migrations), from, target.version);
}

function imageLine(entry: Facts['load']['load'][number], action: Plan['images'][number]['action']): Plan['images'][number] {
  return { reference: entry.image.reference, name: entry.name, private: entry.private, action };
}

/** The code alone cannot go this way, or not come back from it, and airdock has nothing of the data. */
function hasUnsavedData({ kind, target, deployment, migrations }: Facts, pathClass: Plan['class']): boolean {
  if (kind !== 'rollback') return leavesDataUnsaved({ pathClass, target });
  const schema = deployment?.schemaRelease ?? deployment?.current ?? target.version;
  return wayBackTakes(migrations, target, schema) === 'own-data';
}

function rollbackLine(facts: Facts, pathClass: Plan['class']): string {
  const { kind, deployment } = facts;
  const from = deployment?.current;
  if (kind === 'install' || !from) return 'none: this is the first release here';
  if (hasUnsavedData(facts, pathClass))
    return `airdock rollback ${from} ${savedElsewhereFlag}, once you have put its data back: airdock saves none of it`;
  if (kind === 'rollback') return `airdock rollback ${from}${facts.restore ? ` ${restoreFlag}` : ''}`;
  return pathClass === 'irreversible'
    ? `airdock rollback ${from} ${restoreFlag}: a rename of the kept database; what is written after the upgrade stays in a kept one`
    : `airdock rollback ${from}: code only, the database stays`;
}

/** Rough rates of one slow machine; every time shown is marked as an estimate. */
function estimate(id: StepId, facts: Facts): number {
  const bytes = (per: number, count: number) => Math.round((count / per) * 10) / 10;
  switch (id) {
    case 'import':
      return bytes(
        300e6,
        facts.missingBlobs.reduce((sum, blob) => sum + blob.size, 0),
      );
    case 'load':
      return bytes(80e6, facts.load.uncompressedBytes);
    case 'backup':
      return bytes(40e6, facts.database?.bytes ?? 0);
    case 'copy':
      return bytes(1000e6, facts.database?.bytes ?? 0) + 1;
    case 'restore':
      return 5 + bytes(60e6, facts.restore?.bytes ?? facts.database?.bytes ?? 0);
    case 'rehearse':
      return 5 + bytes(60e6, facts.database?.bytes ?? 0); // restore, compare; how long the migration takes, it will tell
    case 'up':
      return 5;
    case 'health':
      return 10;
    default:
      return 1;
  }
}
/** @throws when anything stands against the plan: see `refusalCode` */
export function assertClear({ findings, restore, aside, since }: Plan): void {
  assertNoFinding(findings, restore ? { restore, aside, since } : {});
}
