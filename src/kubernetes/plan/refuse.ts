import { AirdockError } from '../../errors.ts';
import type { HelmPlan } from './plan.ts';

/** @throws PREFLIGHT_FAILED with every finding; their own code, where all have the same and it is one of these */
export function refuse(plan: HelmPlan): void {
  const [first] = plan.findings;
  if (!first) return;
  const code = plan.findings.every((one) => one.code === first.code) && isCode(first.code) ? first.code : 'PREFLIGHT_FAILED';
  throw new AirdockError(code, plan.findings.map(({ text }) => text).join('\n'), {
    hint: [...new Set(plan.findings.map(({ fix }) => fix))].join('\n'),
    details: { findings: plan.findings },
  });
}

const codes = [
  'PRODUCT_MISMATCH',
  'LOCKED',
  'UPGRADE_PATH_REFUSED',
  'DOWNGRADE_REFUSED',
  'OWNED_BY_ANOTHER',
  'CLUSTER_FORBIDDEN',
] as const;
function isCode(code: string): code is (typeof codes)[number] {
  return (codes as readonly string[]).includes(code);
}
