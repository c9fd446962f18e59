import path from 'node:path';
import { AirdockError, exitCodes, type ErrorCode } from '../../errors.ts';
import { ensureDirectory, replaceFile } from '../../io/files.ts';
import type { OpenBundle } from '../../bundle/reader.ts';
import { resumeAtBoot } from '../site/boot.ts';
import type { Facts } from '../plan/facts.ts';
import { placeSelf } from '../site/placed-program.ts';
import type { TransactionKind } from '../state/journal.ts';
import type { Finding, Plan } from '../plan/document.ts';
import type { Release } from '../store/release.ts';
import { markedSite, type ManagedSite } from '../site/site.ts';
import { saveSides } from '../staging/switch-files.ts';
import { folderOf, type Transaction } from './transaction.ts';
import { undo } from './undo.ts';

/** Refuses when anything stands against the plan: one finding with its own code, several as PREFLIGHT_FAILED. */
export function assertClear({ findings, restore, aside, since }: Plan): void {
  assertNoFinding(findings, restore ? { restore, aside, since } : {});
}

/** @param facts for `--json`, beside the findings */
export function assertNoFinding(findings: readonly Finding[], facts: Record<string, unknown> = {}): void {
  const [first, ...others] = findings;
  if (!first) return;
  const onlyValues = findings.every((finding) => finding.code === 'VALUE_MISSING');
  const code = onlyValues ? 'VALUE_MISSING' : others.length === 0 ? codeOf(first) : 'PREFLIGHT_FAILED';
  throw new AirdockError(code, findings.map((finding) => finding.text).join('\n'), {
    hint: [...new Set(findings.map((finding) => finding.fix))].join('\n'),
    details: { findings, ...facts },
  });
}

function codeOf(finding: Finding): ErrorCode {
  return finding.code in exitCodes ? (finding.code as ErrorCode) : 'PREFLIGHT_FAILED';
}

/**
 * Puts the transaction on record, with everything that both directions need: the plan, and the files before and after.
 * Nothing that serves is touched by it.
 */
export async function beginTransaction(
  site: ManagedSite,
  options: { facts: Facts; plan: Plan; release: Release; bundle?: OpenBundle },
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
    await saveSides(site, record.id, staged);
  } catch (error) {
    await undo(site, record, plan, error instanceof Error ? error : new Error(String(error)));
    throw error;
  }
  return {
    site: markedSite(site, record.id),
    record,
    plan,
    target: release,
    names: facts.names,
    signal: site.host.signal,
    ...(bundle ? { bundle } : {}),
  };
}
