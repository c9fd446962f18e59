import { findingOf, type Finding } from '../../../policy/finding.ts';
import type { Context } from '../context.ts';

/** Checks that the new `.env` can be made, and that every required variable has a value. */
export function checkEnv({ env }: Pick<Context, 'env'>): Finding[] {
  if (env.invalid) return [findingOf(env.invalid)];
  return (env.merged?.missing ?? []).map((key) => ({
    code: 'VALUE_MISSING',
    text: `${key} is required and has no value`,
    fix: `Give a value: --set ${key}=VALUE, or --set-file ${key}=FILE for a secret.`,
  }));
}
