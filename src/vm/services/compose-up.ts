import { setTimeout as sleep } from 'node:timers/promises';
import type { Compose, UpOptions } from '../../io/compose.ts';
import type { ContainerInfo } from '../../io/container.ts';
import type { Site } from '../site/site.ts';

type Where = Pick<Site, 'docker' | 'project'>;

const retryDelay = 2000;

/**
 * Runs `up`, and repairs what a killed `up` left. It is tried twice; five times while the engine still works on requests of a
 * killed compose.
 * @param services all services when empty
 */
export async function startServices(
  site: Where,
  compose: Compose,
  services: readonly string[] = [],
  options: UpOptions = {},
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await finishReplacing(site);
      await compose.up(services, options);
      return await finishReplacing(site);
    } catch (error) {
      options.signal?.throwIfAborted();
      if (attempt >= (isConflict(error) ? 5 : 2)) throw error;
      await sleep(retryDelay);
    }
  }
}

/** Whether the engine reports that a container appeared or disappeared while compose worked. */
function isConflict(error: unknown): boolean {
  return error instanceof Error && /already in use by container|No such container|already in progress/.test(error.message);
}

/**
 * Repairs a half-done replacement. compose creates the new container as `OLDID_NAME`, stops and removes the old one, and renames
 * the new one. If compose was killed in between, 2.26 fails at its next `up`, and 2.40 keeps the odd name. While the old container
 * serves, the new one is removed. Once the old one has stopped, the new one gets its name, because it may hold the only anonymous
 * volumes.
 */
async function finishReplacing({ docker, project }: Where): Promise<void> {
  const containers = await docker.containers({ project });
  for (const container of containers.filter(isTemporary)) {
    const name = container.name.slice(idLength + 1);
    const old = containers.find(({ id }) => id.startsWith(container.name.slice(0, idLength)));
    const other = containers.find((found) => found.name === name && found.id !== old?.id);
    if (container.startedAt === '' && (other || (old && serves(old)))) {
      await docker.removeContainer(container.id);
    } else if (!other && !(old && serves(old))) {
      if (old) await docker.removeContainer(old.id);
      await docker.renameContainer(container.id, name);
    }
  }
}

const idLength = 12;

function isTemporary({ name, service, labels, oneOff }: ContainerInfo): boolean {
  return /^[0-9a-f]{12}_./.test(name) && service !== '' && !oneOff && 'com.docker.compose.replace' in labels;
}

function serves({ state }: ContainerInfo): boolean {
  return state === 'running' || state === 'paused' || state === 'restarting';
}
