import { stringify } from 'yaml';
import { asStep } from '../../events.ts';
import { withDatabase } from '../database/access.ts';
import type { HelmPlan } from '../plan/plan.ts';
import type { KubernetesRelease } from '../record/site.ts';
import { assertNoFinding } from '../../policy/finding.ts';
import { planOf } from './upgrade.ts';
import { databaseImage, type UpgradeOptions } from '../plan/upgrade-options.ts';
import { backUp, rehearse } from '../steps/upgrade.ts';

export type Prepared = { plan: HelmPlan; backup: string | null; rehearsed: boolean; values: string };

/**
 * Does all but the upgrade (push, backup, rehearsal), for operators whose GitOps controller upgrades. The result's `values` are the
 * values for that controller, as YAML. A workload with another owner is no reason to refuse here.
 */
export async function helmPrepare(site: KubernetesRelease, options: UpgradeOptions): Promise<Prepared> {
  const { plan: upgradePlan, facts } = await planOf(site, options);
  const steps = upgradePlan.steps.filter((step) => ['push', 'backup', 'rehearse'].includes(step));
  const findings = upgradePlan.findings.filter(({ code }) => code !== 'OWNED_BY_ANOTHER');
  const plan: HelmPlan = { ...upgradePlan, steps, stops: [], findings };
  assertNoFinding(plan.findings);
  await options.consent(plan);
  if (options.push) await asStep(site.host.listener, 'push', async () => ({ summary: await options.push!() }));
  const backup = await withDatabase(site, facts.database, databaseImage(options) ?? undefined, async (database) => {
    if (!database) return null;
    const id = await backUp(site, facts, database);
    if (options.rehearse) await rehearse(site, options, facts, database, id);
    return id;
  });
  return { plan, backup, rehearsed: options.rehearse && backup !== null, values: stringify(nested(options.set)) };
}

/** `{ 'global.imageRegistry': x }` -> `{ global: { imageRegistry: x } }` */
function nested(set: Readonly<Record<string, string>>): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(set)) {
    const path = key.split('.');
    const last = path.pop() ?? key;
    let at = values;
    for (const part of path) at = (at[part] ??= {}) as Record<string, unknown>;
    at[last] = value;
  }
  return values;
}
