import type { Finding } from '../../../policy/finding.ts';
import { driftFixes, findDrift } from '../drift.ts';
import type { Context } from '../context.ts';

/** Checks that nobody changed files or containers of the installed release by hand, unless the plan corrects that. */
export async function checkDrift({ site, deployment, installed, containers, engine, discardLocal }: Context): Promise<Finding[]> {
  if (!deployment) return [];
  const { directory, docker } = site;
  const differences = await findDrift({ directory, deployment, release: installed, containers, engine, docker });
  return discardLocal ? [] : differences.map(({ what, text }) => ({ code: 'DRIFT', text, fix: driftFixes[what] }));
}
