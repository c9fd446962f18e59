import { findingOf, type Finding } from '../../../policy/finding.ts';
import type { Context } from '../context.ts';

/** The new `.env` can be made, and every required variable has a value in it. */
export function checkEnv({ env }: Pick<Context, 'env'>): Finding[] {
  if (env.invalid) return [findingOf(env.invalid)];
  return (env.merged?.missing ?? []).map((key) => ({
    code: 'VALUE_MISSING',
    text: `${key} is required and has no value`,
    fix: `Give it: --set ${key}=VALUE, or --set-file ${key}=FILE for a secret.`,
  }));
}
