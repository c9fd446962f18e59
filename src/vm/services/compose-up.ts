import { setTimeout as sleep } from 'node:timers/promises';
import type { Compose, UpOptions } from '../../io/compose.ts';
import type { ContainerInfo } from '../../io/container.ts';
import type { Site } from '../site/site.ts';

type Where = Pick<Site, 'docker' | 'project'>;

const settling = 2000;

/**
 * `up`, however the one before it was ended. Tried twice, and longer while the engine is still at what the killed compose
 * had asked it for.
 * @param services all when none is named
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
      if (attempt >= (isAtIt(error) ? 5 : 2)) throw error;
      await sleep(settling);
    }
  }
}

/** In the engine's words: a container came or went between compose's look and its request. */
function isAtIt(error: unknown): boolean {
  return error instanceof Error && /already in use by container|No such container|already in progress/.test(error.message);
}

/**
 * compose makes the new container under a name of its own (`OLDID_NAME`), stops and removes the old one, and gives the new
 * one its name. Where it was killed in between, 2.26 fails on what it left, and 2.40 keeps the odd name. While the old one
 * serves, the new one goes; from its stop on, the new one takes its place: it may hold the only anonymous volumes.
 */
async function finishReplacing({ docker, project }: Where): Promise<void> {
  const containers = await docker.containers({ project });
  for (const one of containers.filter(isTemporary)) {
    const name = one.name.slice(idLength + 1);
    const old = containers.find(({ id }) => id.startsWith(one.name.slice(0, idLength)));
    const other = containers.find((found) => found.name === name && found.id !== old?.id);
    if (one.startedAt === '' && (other || (old && serves(old)))) {
      await docker.removeContainer(one.id);
    } else if (!other && !(old && serves(old))) {
      if (old) await docker.removeContainer(old.id);
      await docker.renameContainer(one.id, name);
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
