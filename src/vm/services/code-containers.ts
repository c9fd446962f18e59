import type { BundleManifest } from '../../bundle/manifest.ts';
import type { ContainerInfo } from '../../io/container.ts';
import { carriesVersion } from '../images/names.ts';
import type { TransactionRecord } from '../state/journal.ts';
import type { ManagedSite } from '../site/site.ts';

/** The containers that must not meet another schema than their own (docs/adr/0008-irreversible.md, "Undo"). */
export type Code = {
  /** Writers, traffic services, and whatever runs an image of the product, one-shots too: of either release. */
  includes(container: ContainerInfo): boolean;
  /** Traffic services of either release. */
  traffic: string[];
};

export function codeOfBoth(
  site: Pick<ManagedSite, 'state'>,
  { from, to }: Pick<TransactionRecord, 'from' | 'to'>,
  target?: BundleManifest,
): Code {
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

/** By id, whatever the files now say of them. @returns whether a traffic service was among them */
export async function takeAwayCode(site: ManagedSite, code: Code): Promise<boolean> {
  const containers = (await site.docker.containers({ project: site.project })).filter((one) => code.includes(one));
  for (const container of containers) await site.docker.removeContainer(container.id);
  return containers.some((one) => code.traffic.includes(one.service));
}
