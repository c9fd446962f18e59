import { isAirdockError } from '../../../errors.ts';
import type { ComposeModel } from '../../../io/compose.ts';
import type { EnvInputs, MergedEnv } from '../../env/template.ts';
import type { Plan } from '../document.ts';
import { findingOf, type Finding } from '../../../policy/finding.ts';
import type { Release } from '../../store/release.ts';
import type { Site } from '../../site/site.ts';
import { renderStaged, stageEnv, stageEnvBack, type Staged } from '../../staging/stage.ts';

/** The files as they are to be, and what stands against them. */

/** The new `.env`; what is missing or wrong in it is a finding. */
export async function envOf(
  kind: Plan['kind'],
  release: Release,
  current: Buffer | undefined,
  inputs: EnvInputs,
  findings: Finding[],
): Promise<MergedEnv | undefined> {
  try {
    const merged = kind === 'rollback' && current ? stageEnvBack(release, current) : stageEnv(release, current, inputs);
    for (const key of merged.missing)
      findings.push({
        code: 'VALUE_MISSING',
        text: `${key} is required and has no value`,
        fix: `Give it: --set ${key}=VALUE, or --set-file ${key}=FILE for a secret.`,
      });
    return merged;
  } catch (error) {
    if (!isAirdockError(error, 'ENV_INVALID')) throw error;
    findings.push(findingOf(error));
    return undefined;
  }
}

/** As compose sees it, unless it cannot be rendered: that is a finding. */
export async function render(
  site: Site,
  staged: Staged,
  findings: Finding[],
): Promise<{ model: ComposeModel; hashes: Map<string, string> } | undefined> {
  try {
    return await renderStaged(site, staged);
  } catch (error) {
    if (!isAirdockError(error, 'COMPOSE_INVALID')) throw error;
    findings.push({
      code: 'COMPOSE_RENDER',
      text: `the new compose.yaml with your files does not render: ${error.message}`,
      fix: 'Correct compose.override.yaml or .env: an override may name a service that this release no longer has.',
    });
    return undefined;
  }
}
