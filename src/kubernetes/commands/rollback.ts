import path from 'node:path';
import { maintenanceOf } from '../../data/postgres/swap/admin.ts';
import type { TableDifference } from '../../data/postgres/compare/difference.ts';
import { restoreAndCompare, checkedBackup } from '../../data/postgres/backup/prove.ts';
import { readBackup } from '../../data/postgres/backup/stored-backup.ts';
import { asideName, nextName } from '../../data/postgres/swap/swap-names.ts';
import { asStep } from '../../events.ts';
import type { LiveDatabase } from '../database/access.ts';
import { endGood } from '../steps/good.ts';
import { waitKnownHealthy } from '../steps/health.ts';
import { withRollbackFacts, type RollbackFacts, type WayOptions } from '../plan/rollback-plan.ts';
import type { HelmPlan } from '../plan/plan.ts';
import { shapeOf } from '../record/record.ts';
import { assertNoFinding } from '../../policy/finding.ts';
import { deployedOf } from '../record/revisions.ts';
import type { KubernetesRelease } from '../record/site.ts';
import { bringUp, postgresServerOf, open, quiesce, scaleBack, stopWriters, bringDatabaseBack, swapIn } from '../steps/swap.ts';
import { writersOf } from '../pods/workloads.ts';
import { begin, failed, type Running } from '../record/transaction.ts';
import { chartObjects } from '../pods/workloads.ts';

export type RollbackOptions = WayOptions & {
  timeoutSeconds: number;
  /** Shows the plan and asks. @throws CONSENT_NEEDED */
  consent: (plan: HelmPlan) => Promise<void>;
};

export type RolledBack = {
  transaction: number;
  from: string;
  to: string;
  revision: number | null;
  /** Name of the kept newer database, when another one came back, and the rows that only the newer one has (null: not known). */
  database: string | null;
  leftAside: TableDifference[] | null;
};

/** @throws RESTORE_DATABASE_NEEDED, DATA_NOT_SAVED, ROLLBACK_REFUSED, LOCKED, OWNED_BY_ANOTHER; what failed and was taken back (6) */
export async function helmRollback(site: KubernetesRelease, options: RollbackOptions): Promise<RolledBack> {
  return withRollbackFacts(site, options, async (facts) => {
    assertNoFinding(facts.plan.findings);
    await options.consent(facts.plan);
    const { from, version: to } = facts.way;
    const running = await begin(site, facts.record, {
      kind: 'rollback',
      from,
      to,
      class: facts.plan.class,
      before: facts.plan.revision,
      last: facts.last,
    });
    const { database } = facts;
    return database
      ? rollBackDatabaseAndCode(site, options, { ...facts, database }, running)
      : rollBackCode(site, options, facts, running);
  });
}

async function rollBackCode(
  site: KubernetesRelease,
  options: RollbackOptions,
  facts: RollbackFacts,
  running: Running,
): Promise<RolledBack> {
  const { before } = running.transaction.revisions;
  const { way } = facts;
  try {
    await asStep(site.host.listener, 'rollback', async () => {
      await site.helm.rollback(site.release, way.revision, options);
      return { summary: `back to revision ${way.revision}` };
    });
    await waitUntilHealthy(site, facts);
  } catch (error) {
    return failed(site, running, error, async () => {
      if (before !== null) await site.helm.rollback(site.release, before, { ...options, forceConflicts: true });
      return { outcome: 'rolled-back', summary: `${way.from} is serving again` };
    });
  }
  return finish(site, running, facts, null);
}

/** The database goes back first, and then the code: old code never runs on a schema that it does not know. */
async function rollBackDatabaseAndCode(
  site: KubernetesRelease,
  options: RollbackOptions,
  facts: RollbackFacts & { database: LiveDatabase },
  running: Running,
): Promise<RolledBack> {
  const { listener } = site.host;
  const { way, database, objects, record } = facts;
  const writers = writersOf(shapeOf(record), objects);
  const { before } = running.transaction.revisions;
  const aside = asideName(database.database, record.schemaRelease ?? way.from, running.transaction.id);
  let opened = false;
  try {
    const returning = way.kept?.name ?? (await restoreBackup(site, running, database, way.backup?.id ?? ''));
    await asStep(listener, 'quiesce', async () => {
      await quiesce(site, running, database, writers);
      return { summary: `${writers.map(({ service }) => service).join(', ')} stopped` };
    });
    await asStep(listener, 'swap', async () => {
      await swapIn(site, running, database, returning, aside);
      return { summary: `${returning} is live, the newer database is kept as ${aside}` };
    });
    await asStep(listener, 'rollback', async () => {
      opened = true;
      await open(database, running);
      await site.helm.rollback(site.release, way.revision, options);
      const { undo } = running.transaction;
      if (undo) await bringUp(site, objects.workloads, undo, options.timeoutSeconds * 1000);
      return { summary: `back to revision ${way.revision}` };
    });
    await waitUntilHealthy(site, facts);
  } catch (error) {
    return failed(site, running, error, async () => {
      const { undo } = running.transaction;
      if (!undo) return { outcome: 'undone', summary: `${way.from} is serving, untouched` };
      // the older code must never reach the newer database
      if (opened) await stopWriters(site, writers);
      // users may have written to a database that was open
      await bringDatabaseBack(database, running, opened || way.kept !== undefined);
      if (opened && before !== null) await site.helm.rollback(site.release, before, { ...options, forceConflicts: true });
      await scaleBack(site, undo);
      const left =
        opened && !way.kept ? `; the restored database was open for a while and stays on the server as ${undo.next?.name}` : '';
      return { outcome: 'rolled-back', summary: `${way.from} is serving again${left}` };
    });
  }
  return finish(site, running, facts, aside);
}

/** Waits for the health checks of the release that came back. @throws HEALTH_FAILED */
async function waitUntilHealthy(site: KubernetesRelease, { record, way }: RollbackFacts): Promise<void> {
  await asStep(site.host.listener, 'health', async () => ({
    summary: await waitKnownHealthy(site, record, way.version, chartObjects(await site.helm.manifest(site.release))),
  }));
}

/** Restores a backup into a new database beside the live one and compares it, while users are served. @returns the new database's name */
async function restoreBackup(site: KubernetesRelease, running: Running, server: LiveDatabase, id: string): Promise<string> {
  const { listener, signal } = site.host;
  const name = nextName(running.transaction.id);
  await asStep(listener, 'restore', async (onProgress) => {
    const backup = await checkedBackup(site, await readBackup(path.join(site.backupDirectory, id)), signal);
    const { applicationName, ...cluster } = postgresServerOf(server, running);
    const maintenance = { ...cluster, database: maintenanceOf(server.database) };
    await restoreAndCompare(site, maintenance, backup, { name, applicationName, signal, onProgress });
    return { summary: `${id}, equal` };
  });
  return name;
}

async function finish(
  site: KubernetesRelease,
  running: Running,
  { way, rows }: RollbackFacts,
  aside: string | null,
): Promise<RolledBack> {
  const { transaction } = running;
  const revision = deployedOf(await site.helm.history(site.release))?.revision ?? null;
  const kept = await endGood(site, running, revision);
  const leftAside = kept && rows ? await rows.left(kept) : null;
  return { transaction: transaction.id, from: way.from, to: way.version, revision, database: aside, leftAside };
}
