import { type AirdockError, isAirdockError } from '../../../errors.ts';
import type { ComposeModel } from '../../../io/compose.ts';
import type { EnvInputs, MergedEnv } from '../../env/template.ts';
import type { Plan } from '../document.ts';
import type { Release } from '../../store/release.ts';
import type { Site } from '../../site/site.ts';
import { renderStaged, stageEnv, stageEnvBack, type Staged } from '../../staging/stage.ts';

/** The `.env` after the switch; `invalid` says why it cannot be made. */
export type StagedEnv = { merged: MergedEnv | undefined; invalid: AirdockError | undefined };

/** Makes the new `.env`, in memory. */
export function lookAtEnv(kind: Plan['kind'], release: Release, current: Buffer | undefined, inputs: EnvInputs): StagedEnv {
  try {
    const merged = kind === 'rollback' && current ? stageEnvBack(release, current) : stageEnv(release, current, inputs);
    return { merged, invalid: undefined };
  } catch (error) {
    if (!isAirdockError(error, 'ENV_INVALID')) throw error;
    return { merged: undefined, invalid: error };
  }
}

/** The compose files after the switch; `invalid` says why compose cannot read them. */
export type StagedCompose = {
  model: ComposeModel | undefined;
  /** Configuration hash of each service. */
  hashes: ReadonlyMap<string, string>;
  invalid: AirdockError | undefined;
};

/** The new files together with the operator's, as compose reads them. */
export async function lookAtCompose(site: Site, staged: Staged | undefined): Promise<StagedCompose> {
  const nothing = { model: undefined, hashes: new Map<string, string>() };
  if (!staged) return { ...nothing, invalid: undefined };
  try {
    return { ...(await renderStaged(site, staged)), invalid: undefined };
  } catch (error) {
    if (!isAirdockError(error, 'COMPOSE_INVALID')) throw error;
    return { ...nothing, invalid: error };
  }
}
