import { z } from 'zod';
import { AirdockError, type ErrorCode, exitCodes } from '../errors.ts';

export const findingSchema = z.strictObject({ code: z.string(), text: z.string(), fix: z.string() });
export type Finding = z.infer<typeof findingSchema>;
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
