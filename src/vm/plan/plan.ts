import semver from 'semver';
import { databaseServiceOf } from '../../bundle/manifest.ts';
import { classOfPath, withMigrations } from '../../policy/migrations.ts';
import { leavesDataUnsaved, restoreFlag, savedElsewhereFlag } from '../../policy/upgrade-path.ts';
import { wayBackTakes } from '../../policy/way-back.ts';
import { diskFindings } from './preflight/disk.ts';
import type { Facts } from './facts.ts';
import { pathFindings } from './path-findings.ts';
import type { Plan } from './document.ts';
import { type StepId, stepsOf } from './order.ts';
import { assertNoFinding } from '../../policy/finding.ts';

/** Makes the plan from facts alone: the same facts give the same plan. */

/** What the plan needs to know about a step (transaction/steps/). */
export type PlannedStep = {
  /**
   * The step is part of the downtime: the old version no longer answers, and the new one does not yet. `when-quiesced`: only if the
   * transaction has stopped the writers before.
   */
  stop: boolean | 'when-quiesced';
  /** Seconds, from rough rates of one slow machine; messages call every time an estimate. */
  estimate: (facts: Facts) => number;
};

/** @returns the plan, with all findings */
export function makePlan(facts: Facts, stepTable: Record<StepId, PlannedStep>): Plan {
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
  const timed = steps.map((id) => {
    const { stop, estimate } = stepTable[id];
    return { id, stop: stop === 'when-quiesced' ? steps.includes('quiesce') : stop, estimate: estimate(facts) };
  });
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
    backup: steps.includes('backup') ? { proven: steps.includes('rehearse'), with: savedBesides(facts) } : null,
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

/** The estimated downtime in seconds. */
export function stopSeconds(steps: Plan['steps']): number {
  return steps.filter((step) => step.stop).reduce((sum, step) => sum + step.estimate, 0);
}

function savedBesides({ target: { redis }, saved }: Facts): string[] {
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

/** Whether the data changes in a way that code alone cannot take back, and airdock has no copy of the data. */
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
    ? `airdock rollback ${from} ${restoreFlag}: renames the kept database; rows written after the upgrade stay in a database that is kept`
    : `airdock rollback ${from}: code only, the database stays`;
}

/** @throws when the plan has findings: see `refusalCode` */
export function assertClear({ findings, restore, aside, since }: Plan): void {
  assertNoFinding(findings, restore ? { restore, aside, since } : {});
}
