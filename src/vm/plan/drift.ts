import path from 'node:path';
import { z } from 'zod';
import { digestOf } from '../../digest.ts';
import type { ContainerInfo } from '../../io/container.ts';
import type { Docker, EngineInfo } from '../../io/docker.ts';
import { readIfExists } from '../../io/files.ts';
import { parseReference, type ImageName } from '../../images/reference.ts';
import { pinnedServices } from '../compose-files/pinned-services.ts';
import { carriesVersion } from '../images/names.ts';
import { runsImage } from '../images/names.ts';
import type { Deployment, StoredRelease } from '../state/state.ts';
import { readEnv } from '../site/site.ts';

/** A difference between the records and the deployment, outside a transaction (ADR 1, "Drift"). */
export const drift = z.strictObject({
  what: z.enum(['compose.yaml', '.env', 'container']),
  text: z.string(),
});
export type Drift = z.infer<typeof drift>;

export const driftFixes: Record<Drift['what'], string> = {
  'compose.yaml':
    'Keep the change of compose.yaml with airdock adopt, or undo it: airdock install or rollback with --discard-local.',
  '.env': 'Only airdock changes VERSION. Undo it: airdock install or rollback with --discard-local.',
  container: 'Recreate the containers of the installed release: docker compose up -d.',
};

export async function findDrift(options: {
  directory: string;
  deployment: Deployment;
  release: StoredRelease | undefined;
  containers: readonly ContainerInfo[];
  engine: EngineInfo;
  docker: Pick<Docker, 'inspectImage'>;
}): Promise<Drift[]> {
  const { directory, deployment, release, containers, engine, docker } = options;
  if (deployment.current === null) return [];
  const drifts: Drift[] = [];
  const compose = await readIfExists(path.join(directory, 'compose.yaml'));
  if (compose === undefined) drifts.push({ what: 'compose.yaml', text: 'compose.yaml is missing' });
  else if (digestOf(compose) !== deployment.composeDigest)
    drifts.push({
      what: 'compose.yaml',
      text: 'compose.yaml was changed by hand; your own settings belong in compose.override.yaml',
    });
  const env = await readEnv(directory);
  const version = env?.get('VERSION');
  if (version !== deployment.current)
    drifts.push({ what: '.env', text: `VERSION in .env is ${version ?? 'not set'}, installed is ${deployment.current}` });
  return release ? [...drifts, ...(await containerDrift(release, containers, { directory, engine, docker }))] : drifts;
}

/**
 * Containers that run another image than the installed release's. Product images are matched by repository; fixed images by their
 * whole name, unless the adoption kept the operator's image. Containers that an operator added are ignored.
 */
async function containerDrift(
  release: StoredRelease,
  containers: readonly ContainerInfo[],
  options: { directory: string; engine: EngineInfo; docker: Pick<Docker, 'inspectImage'> },
): Promise<Drift[]> {
  const pinned = await pinnedServices(options.directory);
  const drifts: Drift[] = [];
  for (const container of containers) {
    const image = release.manifest.images.find((one) => isUseOf(one.reference, container.image, release.version));
    if (container.oneOff || image === undefined) continue;
    if (pinned.has(container.service) && !carriesVersion(image.reference, release.version)) continue;
    if (await runsImage(container, image, options.engine.store, options.docker)) continue;
    drifts.push({
      what: 'container',
      text: `service ${container.service} runs ${container.image} (${container.imageId.slice(0, 19)}), which is not the image of ${release.version}`,
    });
  }
  return drifts;
}

function isUseOf(reference: string, running: string, version: string): boolean {
  const declared = parseReference(reference);
  let name: ImageName;
  try {
    name = parseReference(running);
  } catch {
    return false; // an image id: the image has lost its name
  }
  if (name.canonical === declared.canonical) return true;
  return carriesVersion(reference, version) && name.registry === declared.registry && name.repository === declared.repository;
}
