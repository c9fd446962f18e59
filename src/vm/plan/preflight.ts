import type { Finding } from '../../policy/finding.ts';
import type { Context } from './context.ts';
import { checkCompose } from './preflight/compose.ts';
import { checkDatabase } from './preflight/database.ts';
import { checkDrift } from './preflight/drift.ts';
import { checkVersions } from './preflight/engine.ts';
import { checkEnv } from './preflight/env.ts';
import { checkImageNames } from './preflight/image-names.ts';
import { checkImages } from './preflight/images.ts';
import { checkLeftOut } from './preflight/left-out.ts';
import { checkPorts } from './preflight/ports.ts';
import { checkRunning } from './preflight/running.ts';
import { checkShut } from './preflight/shut.ts';
import { checkSwap } from './preflight/swap.ts';

/** One check of a plan. It changes nothing, and returns its findings. */
type Check = (context: Context) => Finding[] | Promise<Finding[]>;

/** All checks, in the order of their findings. Findings about the path and the disk follow in plan.ts. */
const checks: readonly Check[] = [
  checkImageNames,
  checkEnv,
  checkCompose,
  checkVersions,
  checkImages,
  checkPorts,
  checkRunning,
  checkDrift,
  checkShut,
  checkSwap,
  checkDatabase,
  checkLeftOut,
];

/** Runs all checks; a finding does not stop the others. */
export async function preflight(context: Context): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const check of checks) findings.push(...(await check(context)));
  return findings;
}
