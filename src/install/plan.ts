import semver from 'semver';
import type { BundleManifest, MigrationClass } from '../bundle/manifest.ts';
import { diskFindings } from './disk-findings.ts';
import type { Facts } from './facts.ts';
import type { Finding, Plan, StepId } from './plan-document.ts';
import type { KnownMigration } from './state.ts';

/** The plan, made from facts alone: the same facts give the same plan. */

/** The worst class in (from, to]; releases that nobody lists change no schema. */
export function classOfPath(migrations: readonly KnownMigration[], from: string, to: string): MigrationClass {
  const between = migrations.filter((entry) => semver.gt(entry.version, from) && semver.lte(entry.version, to));
  return between.some((entry) => entry.class === 'irreversible')
    ? 'irreversible'
    : between.some((entry) => entry.class === 'expand')
      ? 'expand'
      : 'none';
}

/** The steps of a transaction, in order (docs/adr/0001-transaction.md). */
export function stepsOf(
  kind: Plan['kind'],
  pathClass: MigrationClass | 'unknown',
  options: { database: boolean; recreatesDatabase: boolean; hasData: boolean; rehearse: boolean },
): StepId[] {
  const database: StepId[] = options.recreatesDatabase ? ['database-service'] : [];
  if (kind === 'rollback') return ['load', 'switch', ...database, 'up', 'health', 'good'];
  const backup: StepId[] = options.database ? ['backup'] : [];
  if (kind === 'install') {
    // a first install that was tried before may have left rows in its volumes
    const prepare: StepId[] = options.database ? [...(options.hasData ? backup : []), 'migrate'] : [];
    return ['import', 'load', 'switch', 'dependencies', ...prepare, 'up', 'health', 'good'];
  }
  const rehearse: StepId[] = options.database && options.rehearse ? ['rehearse'] : [];
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
    rehearse: facts.rehearse,
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
    backup: steps.includes('backup') ? { proven: steps.includes('rehearse') } : null,
    env: facts.env,
    disk: facts.disk.map((disk) => ({ ...disk, total: disk.needs.reduce((sum, need) => sum + need.bytes, 0) })),
    steps: steps.map((id) => ({ id, stop: id === 'database-service' || id === 'up', estimate: estimate(id, facts) })),
    recreated: facts.recreated,
    removed: facts.removed,
    added: facts.added,
    rollback: rollbackLine(facts, pathClass),
    findings: [...facts.findings, ...pathFindings(facts, pathClass), ...diskFindings(facts.disk)],
  };
}

export function higherVersion(a: string | null, b: string): string {
  return a !== null && semver.gt(a, b) ? a : b;
}

export function databaseServiceOf(manifest: BundleManifest): string | undefined {
  return manifest.database === 'none' ? undefined : manifest.database.service;
}

function planClass({ kind, target, deployment, migrations }: Facts): Plan['class'] {
  const from = deployment?.current ?? null;
  if (kind === 'install' || from === null) return 'none';
  if (kind === 'rollback') return classOfPath(migrations, target.version, deployment?.schemaRelease ?? from);
  return classOfPath(target.migrations, from, target.version);
}

function imageLine(entry: Facts['load']['load'][number], action: Plan['images'][number]['action']): Plan['images'][number] {
  return { reference: entry.image.reference, name: entry.name, private: entry.private, action };
}

/** What forbids the path itself: product, platform, downgrade, upgrade rules, class (DESIGN sections 4 and 7). */
function pathFindings(facts: Facts, pathClass: Plan['class']): Finding[] {
  const { target, deployment, kind } = facts;
  const from = deployment?.current ?? null;
  const findings: Finding[] = [];
  const refuse = (code: string, text: string, fix: string) => findings.push({ code, text, fix });
  if (deployment?.product && deployment.product !== target.product)
    refuse(
      'PRODUCT_MISMATCH',
      `this deployment is ${deployment.product}, the bundle is ${target.product}`,
      'Use another --dir for another product.',
    );
  const here = `${facts.engine.os}/${facts.engine.architecture}`;
  if (here !== target.platform)
    refuse(
      'PLATFORM_MISMATCH',
      `the bundle is for ${target.platform}, this engine is ${here}`,
      `Ask the vendor for the bundle for ${here}.`,
    );
  if (kind === 'rollback') return [...findings, ...rollbackFindings(facts, pathClass)];
  const highest = deployment?.highestGood ?? null;
  if (highest !== null && semver.lt(target.version, highest) && !facts.allowDowngrade)
    refuse(
      'DOWNGRADE_REFUSED',
      `${target.version} is older than ${highest}, which ran here`,
      `To go back, use airdock rollback; to install it all the same, add --allow-downgrade.`,
    );
  const schema = deployment?.schemaRelease ?? null;
  if (from === null && schema !== null && semver.lt(target.version, schema))
    refuse(
      'DOWNGRADE_REFUSED',
      `the database here was begun by ${schema}, which is newer than ${target.version}`,
      `Install ${schema} or later.`,
    );
  if (from === null) return findings;
  if (semver.lt(target.version, from) && !facts.allowDowngrade && highest === null)
    refuse('DOWNGRADE_REFUSED', `${target.version} is older than ${from}, which runs here`, 'To go back, use airdock rollback.');
  if (!semver.satisfies(from, target.upgrade.from, { includePrerelease: true }))
    refuse(
      'UPGRADE_PATH_REFUSED',
      `${target.version} upgrades from ${target.upgrade.from} only, ${from} runs here`,
      nextStop(facts, from),
    );
  const stop = target.upgrade.stops.find((version) => semver.gt(version, from) && semver.lt(version, target.version));
  if (stop !== undefined)
    refuse('UPGRADE_PATH_REFUSED', `the way from ${from} to ${target.version} stops at ${stop}`, `Install ${stop} first.`);
  if (pathClass === 'irreversible')
    refuse(
      'MIGRATION_CLASS_UNSUPPORTED',
      `the way from ${from} to ${target.version} has an irreversible migration, which this airdock cannot carry out yet`,
      'Use a version of airdock that supports irreversible migrations; the running version stays as it is.',
    );
  return findings;
}

function nextStop({ target }: Facts, from: string): string {
  const stop = target.upgrade.stops.find((version) => semver.gt(version, from));
  return stop === undefined ? `Install a release that satisfies ${target.upgrade.from} first.` : `Install ${stop} first.`;
}

function rollbackFindings({ target, deployment }: Facts, pathClass: Plan['class']): Finding[] {
  const findings: Finding[] = [];
  if (pathClass === 'irreversible')
    findings.push({
      code: 'ROLLBACK_REFUSED',
      text: `going back to ${target.version} crosses an irreversible migration: its code does not run on the schema of ${deployment?.schemaRelease}`,
      fix: 'The database would have to go back too, which this airdock cannot do yet. Restore a backup by hand, or stay.',
    });
  const floor = deployment?.securityFloor ?? null;
  if (floor !== null && semver.lt(target.version, floor))
    findings.push({
      code: 'ROLLBACK_REFUSED',
      text: `${target.version} is below the security floor ${floor}`,
      fix: `Roll back to ${floor} or later.`,
    });
  return findings;
}

function rollbackLine({ kind, deployment }: Facts, pathClass: Plan['class']): string {
  const from = deployment?.current;
  if (kind === 'install' || !from) return 'none: this is the first release here';
  if (kind === 'rollback') return `airdock install or airdock rollback ${from}`;
  return pathClass === 'irreversible' ? 'the database goes back too' : `airdock rollback ${from}: code only, the database stays`;
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
