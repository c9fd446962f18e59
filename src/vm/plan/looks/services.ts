import { isAirdockError } from '../../../errors.ts';
import type { Site } from '../../site/site.ts';
import type { Deployment } from '../../state/state.ts';

/** What the compose files that are here name; nothing where compose cannot read them, for then drift says what is wrong. */
export async function lookAtServices(site: Site, deployment: Deployment | undefined): Promise<string[]> {
  if (!deployment?.current) return [];
  try {
    return Object.keys((await (await site.compose()).config()).services);
  } catch (error) {
    if (isAirdockError(error, 'COMPOSE_INVALID')) return [];
    throw error;
  }
}
