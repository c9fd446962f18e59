import type { BundleManifest } from '../../bundle/manifest.ts';
import type { ContainerInfo } from '../../io/container.ts';
import { carriesVersion } from '../images/names.ts';
import type { TransactionRecord } from '../state/journal.ts';
import type { ManagedSite } from '../site/site.ts';

/** The containers that must never use another release's schema (docs/adr/0008-irreversible.md, "Undo"). */
export type CodeContainers = {
  /** Writers and traffic services of both releases, and every container, one-shots too, with an image of the product. */
  includes(container: ContainerInfo): boolean;
  /** Traffic services of both releases. */
  traffic: string[];
};

export function codeContainersOf(
  site: Pick<ManagedSite, 'state'>,
  { from, to }: Pick<TransactionRecord, 'from' | 'to'>,
  target?: BundleManifest,
): CodeContainers {
  const manifests = [from === null ? undefined : site.state.release(from)?.manifest, target ?? site.state.release(to)?.manifest];
  const known = manifests.filter((manifest) => manifest !== undefined);
  const services = new Set(known.flatMap((manifest) => [...manifest.writers, ...manifest.traffic]));
  const images = new Set(
    known.flatMap(({ images: list, version }) =>
      list.map(({ reference }) => reference).filter((reference) => carriesVersion(reference, version)),
    ),
  );
  return {
    includes: ({ service, image }) => services.has(service) || images.has(image),
    traffic: [...new Set(known.flatMap((manifest) => manifest.traffic))].toSorted(),
  };
}

/** Removes the code containers. @returns whether one of them was of a traffic service */
export async function removeCodeContainers(site: ManagedSite, code: CodeContainers): Promise<boolean> {
  const containers = (await site.docker.containers({ project: site.project })).filter((one) => code.includes(one));
  for (const container of containers) await site.docker.removeContainer(container.id);
  return containers.some((one) => code.traffic.includes(one.service));
}
