import { withMigrations } from '../../policy/migrations.ts';
import { higherVersion } from '../../policy/reached.ts';
import { signerPins } from '../record/pins.ts';
import { isAirdockError } from '../../errors.ts';
import { asStep } from '../../events.ts';
import { withDatabase, type LiveDatabase } from '../database/access.ts';
import { endGood } from '../steps/good.ts';
import { waitHealthy } from '../steps/health.ts';
import { readFacts, type ClusterFacts } from '../plan/facts.ts';
import { helmPlanDocument, planUpgrade, type HelmPlan } from '../plan/plan.ts';
import { assertNoFinding } from '../../policy/finding.ts';
import type { ClusterRecord } from '../record/record.ts';
import type { KubernetesRelease } from '../record/site.ts';
import { bringUp, leftStopped } from '../steps/swap.ts';
import { begin, failed, note, refuseOpen } from '../record/transaction.ts';
import { databaseImage, type UpgradeOptions } from '../plan/upgrade-options.ts';
import { changeDatabase, upgradeByHelm, prepare } from '../steps/upgrade.ts';
import { bringBack, howFarHelmCame, interruptedInHelm, openButUnhealthy } from '../steps/undo.ts';
import { assertLabelled } from '../pods/workloads.ts';

export type ClusterOutcome = { plan: HelmPlan; transaction: number; backup: string | null; revision: number | null };

/** Reads the facts and makes the plan; changes nothing. @throws PREFLIGHT_FAILED with every finding, CHART_* */
export async function planOf(site: KubernetesRelease, options: UpgradeOptions): Promise<{ plan: HelmPlan; facts: ClusterFacts }> {
  const { bundle, chart, values, set } = options;
  const { manifest } = bundle;
  // first of all: a transaction that was killed may have fenced the database
  const record = await site.records.read();
  if (record) refuseOpen(site, record);
  const rendered = await site.helm.template({ release: site.release, chart, values, set });
  const facts = await readFacts(site, manifest, rendered, options);
  const needed = [
    ...manifest.writers,
    ...(manifest.database !== 'none' && facts.database?.kind === 'pod' ? [facts.database.service] : []),
  ];
  assertLabelled(facts.target, needed, chart);
  const { namespace, context } = site.kubectl;
  const request = { ...options, release: site.release, namespace, context, manifest };
  const plan = helmPlanDocument.parse(planUpgrade(facts, request));
  return { plan, facts };
}

/** @throws findings of the plan (5), a failure that was taken back (6), a failure after which a person must decide (7) */
export async function helmUpgrade(site: KubernetesRelease, options: UpgradeOptions): Promise<ClusterOutcome> {
  const { plan, facts } = await planOf(site, options);
  assertNoFinding(plan.findings);
  await options.consent(plan);
  if (options.push) await asStep(site.host.listener, 'push', async () => ({ summary: await options.push!() }));

  return withDatabase(site, facts.database, databaseImage(options) ?? undefined, (database) =>
    transact(site, options, facts, plan, database),
  );
}

async function transact(
  site: KubernetesRelease,
  options: UpgradeOptions,
  facts: ClusterFacts,
  plan: HelmPlan,
  database: LiveDatabase | undefined,
): Promise<ClusterOutcome> {
  const { listener } = site.host;
  const { manifest } = options.bundle;
  const record = facts.record ?? emptyRecord(manifest.product);
  const before = facts.deployed?.revision ?? null;
  const swaps = plan.steps.includes('swap');
  // writers that an upgrade with exit 7 left at 0 replicas come back with this upgrade
  const stopped = leftStopped(record);
  const running = await begin(site, withBundle(record, options), {
    kind: plan.kind === 'install' ? 'install' : 'upgrade',
    from: facts.from,
    to: manifest.version,
    class: facts.pathClass,
    before,
    last: facts.revisions.at(-1)?.revision ?? null,
    undo: swaps || Object.keys(stopped).length === 0 ? null : { replicas: stopped, live: null, next: null, aside: null },
  });
  try {
    await prepare(site, options, facts, database, running);
    if (swaps && database) await changeDatabase(site, options, facts, database, running);
    // a part of the migration may be applied from now on, so a way back must count its class (docs/adr/0001-transaction.md)
    else if (facts.pathClass !== 'none')
      await note(site, running, {}, { schemaRelease: higherVersion(record.schemaRelease, manifest.version) });
  } catch (error) {
    return failed(site, running, error, () => bringBack(site, facts, database, running, 'before-helm'));
  }
  let [revision, helmDone]: [number | null, boolean] = [null, false];
  try {
    await asStep(listener, 'upgrade', async () => {
      await upgradeByHelm(site, options, facts);
      helmDone = true;
      const { undo } = running.transaction;
      if (undo) await bringUp(site, facts.target.workloads, undo, options.timeoutSeconds * 1000);
      revision = (await site.helm.history(site.release)).at(-1)?.revision ?? null;
      return { summary: `revision ${revision}` };
    });
    await asStep(listener, 'health', async () => ({ summary: await waitHealthy(site, manifest, facts.target) }));
  } catch (error) {
    // interrupted while helm works: helm may go on, and resume lets helm finish
    const swapped = running.transaction.undo?.next != null;
    if (swapped && isAirdockError(error, 'INTERRUPTED')) throw interruptedInHelm(site, error);
    const came = helmDone ? 'to-the-pods' : await howFarHelmCame(site, running, error);
    if (swapped && came === 'to-the-pods') throw await openButUnhealthy(site, running, error);
    return failed(site, running, error, () => bringBack(site, facts, database, running, came));
  }
  await endGood(site, running, revision);
  return { plan, transaction: running.transaction.id, backup: running.transaction.backup, revision };
}

function emptyRecord(product: string): ClusterRecord {
  return {
    schema: 'airdock.cluster/1',
    product,
    trust: [],
    migrations: [],
    shape: null,
    checks: [],
    current: null,
    schemaRelease: null,
    highestGood: null,
    securityFloor: null,
    transactions: [],
    kept: [],
  };
}

/** Adds what the bundle declares (keys, migrations, checks, the security floor). It stays on record even when the upgrade fails. */
function withBundle(record: ClusterRecord, options: UpgradeOptions): ClusterRecord {
  const { bundle } = options;
  const { version, health, traffic, securityFloor } = bundle.manifest;
  return {
    ...record,
    checks: [...record.checks.filter((one) => one.version !== version), { version, health, traffic, securityFloor }],
    trust: signerPins(record.trust, bundle.signer),
    migrations: withMigrations(record.migrations, bundle.manifest.migrations),
    shape: { writers: bundle.manifest.writers, database: bundle.manifest.database, databaseImage: databaseImage(options) },
  };
}
