import { isAirdockError } from '../../../errors.ts';
import type { Site } from '../../site/site.ts';
import type { Deployment } from '../../state/state.ts';

/** Services in the current compose files. None if compose cannot read them: then the drift check reports the error. */
export async function lookAtServices(site: Site, deployment: Deployment | undefined): Promise<string[]> {
  if (!deployment?.current) return [];
  try {
    return Object.keys((await (await site.compose()).config()).services);
  } catch (error) {
    if (isAirdockError(error, 'COMPOSE_INVALID')) return [];
    throw error;
  }
}
