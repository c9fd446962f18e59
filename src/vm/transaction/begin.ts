import path from 'node:path';
import { AirdockError } from '../../errors.ts';
import { ensureDirectory, replaceFile } from '../../io/files.ts';
import type { OpenBundle } from '../../bundle/reader.ts';
import { resumeAtBoot } from '../site/boot.ts';
import type { Facts } from '../plan/facts.ts';
import { placeSelf } from '../site/placed-program.ts';
import type { TransactionKind } from '../state/journal.ts';
import type { Plan } from '../plan/document.ts';
import type { Release } from '../store/release.ts';
import { taggedSite, type ManagedSite } from '../site/site.ts';
import { saveSnapshots } from '../staging/switch-files.ts';
import { type Transaction } from './transaction.ts';
import { folderOf } from '../state/names.ts';
import { undo } from './undo.ts';

/**
 * Records the transaction, with everything that both directions need: the plan, and the files before and after. The running
 * version is not touched.
 */
export async function beginTransaction(
  site: ManagedSite,
  options: { facts: Facts; plan: Plan; release: Release; bundle?: OpenBundle | undefined },
): Promise<Transaction> {
  const { facts, plan, release, bundle } = options;
  const { staged } = facts;
  if (!staged) throw new AirdockError('INTERNAL', 'a transaction needs its staged files');
  await placeSelf(site);
  await resumeAtBoot(site);
  const record = site.state.commit(() => {
    if (!site.state.deployment())
      site.state.createDeployment({ product: release.manifest.product, project: site.project, endpoint: site.endpoint });
    const kind: TransactionKind = plan.kind;
    const { operator, program } = site.host;
    return site.journal.begin({ kind, from: plan.from, to: plan.to, class: plan.class, operator, program: program.version });
  });
  try {
    const folder = folderOf(site, record.id);
    await ensureDirectory(folder);
    await replaceFile(path.join(folder, 'plan.json'), JSON.stringify(plan), { mode: 0o600 });
    await saveSnapshots(site, record.id, staged);
  } catch (error) {
    await undo(site, record, plan, error instanceof Error ? error : new Error(String(error)));
    throw error;
  }
  return {
    site: taggedSite(site, record.id),
    record,
    plan,
    target: release,
    names: facts.names,
    signal: site.host.signal,
    bundle,
  };
}
