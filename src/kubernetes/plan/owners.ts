import semver from 'semver';
import type { Revision } from '../../io/helm-releases.ts';
import type { Finding } from '../../policy/finding.ts';
import type { KubeObject } from '../../io/kubectl.ts';
import type { KubernetesRelease } from '../record/site.ts';
import type { Workload } from '../pods/workloads.ts';

/** Others who write what helm and airdock would write. airdock never works against them (docs/adr/0013-cluster.md, "Owners"). */

/** `of`: the name of the workload. */
export type Owner = { kind: 'HorizontalPodAutoscaler' | 'Argo CD' | 'Flux'; name: string; of: string };

export async function ownersOf(
  { kubectl }: Pick<KubernetesRelease, 'kubectl'>,
  workloads: readonly Workload[],
): Promise<Owner[]> {
  const owners: Owner[] = [];
  type Scaler = KubeObject & { spec: { scaleTargetRef: { kind: string; name: string } } };
  for (const { metadata, spec } of await kubectl.list<Scaler>('horizontalpodautoscalers'))
    if (workloads.some(({ kind, name }) => kind === spec.scaleTargetRef.kind && name === spec.scaleTargetRef.name))
      owners.push({ kind: 'HorizontalPodAutoscaler', name: metadata.name, of: spec.scaleTargetRef.name });
  for (const { kind, name } of workloads) {
    const { labels = {}, annotations = {} } = (await kubectl.get(kind.toLowerCase(), name))?.metadata ?? {};
    const argo = labels['argocd.argoproj.io/instance'] ?? annotations['argocd.argoproj.io/tracking-id'];
    const flux = labels['helm.toolkit.fluxcd.io/name'] ?? labels['kustomize.toolkit.fluxcd.io/name'];
    if (argo !== undefined) owners.push({ kind: 'Argo CD', name: argo.split(':')[0] ?? argo, of: name });
    if (flux !== undefined) owners.push({ kind: 'Flux', name: flux, of: name });
  }
  return owners;
}

/**
 * The version that runs where helm has no release, because a controller such as Argo CD renders the chart itself. It is the tag that
 * the images of the running workloads have in common.
 * @returns null where no workload runs, or where they have no version in common
 */
export async function versionWithoutHelm(
  { kubectl }: Pick<KubernetesRelease, 'kubectl'>,
  revisions: readonly Revision[],
  workloads: readonly Workload[],
): Promise<string | null> {
  if (revisions.length > 0) return null; // a first install that failed and is tried again
  type Live = KubeObject & { spec: { template: { spec: { containers: { image: string }[] } } } };
  const versions = new Set<string>();
  for (const { kind, name } of workloads) {
    const live = await kubectl.get<Live>(kind.toLowerCase(), name);
    for (const { image } of live?.spec.template.spec.containers ?? []) {
      const version = semver.valid(image.slice(image.lastIndexOf(':') + 1));
      if (version !== null) versions.add(version);
    }
  }
  const [version = null] = versions;
  return versions.size === 1 ? version : null;
}

/**
 * @param options.irreversible writers stop, and an autoscaler would start them again
 * @param options.suspended the operator says that the controller is suspended
 * @param options.instead what the operator can do without suspending it
 */
export function ownerFindings(
  owners: readonly Owner[],
  { irreversible, suspended, instead }: { irreversible: boolean; suspended: boolean; instead: string },
): Finding[] {
  return owners.flatMap(({ kind, name, of }) => {
    const text = `${kind} ${name} manages ${of}`;
    const scales = kind === 'HorizontalPodAutoscaler';
    if (scales ? !irreversible : suspended) return [];
    return [
      scales
        ? {
            code: 'OWNED_BY_ANOTHER',
            text: `${text}, and would start writers again while the database changes`,
            fix: `Save its manifest, delete it (kubectl delete hpa ${name}), and apply the manifest again afterwards.`,
          }
        : {
            code: 'OWNED_BY_ANOTHER',
            text: `${text}, and would undo what is done here`,
            fix: `${instead} Or suspend ${kind} and add --owner-suspended.`,
          },
    ];
  });
}
