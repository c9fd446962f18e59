import { parseAllDocuments } from 'yaml';
import type { KubeObject } from '../io/kubectl.ts';
import type { ClusterSite } from './site.ts';
import type { Workload } from './workloads.ts';

/** helm 4 applies under this name (`kubectl get --show-managed-fields`). */
const helmManager = 'helm';

/**
 * What helm would be refused (docs/adr/0013-cluster.md, "Owners"): fields that somebody else set, and the manifests set otherwise. The
 * API server is asked, which changes nothing. Only a release that helm 4 applied server-side has such.
 * @param running its workloads, as they are
 * @returns `Deployment nodepad-frontend: conflict with "kubectl-set" using apps/v1: .spec.…`, one for each object
 */
export async function fieldConflicts(
  { kubectl }: Pick<ClusterSite, 'kubectl'>,
  running: readonly Workload[],
  manifests: string,
): Promise<string[]> {
  if (!(await isAppliedServerSide(kubectl, running))) return [];
  const objects = parseAllDocuments(manifests, { merge: true })
    .map((document) => document.toJS() as KubeObject | null)
    .filter((object): object is KubeObject => object !== null && object.metadata.annotations?.['helm.sh/hook'] === undefined);
  if ((await kubectl.conflicts(objects, helmManager)) === undefined) return [];
  // of several it does not say which one each is about
  const found = await Promise.all(objects.map((object) => kubectl.conflicts([object], helmManager)));
  return found.flatMap((words, at) =>
    words === undefined ? [] : [`${objects[at]?.kind} ${objects[at]?.metadata.name}: ${words}`],
  );
}

/** helm does with all of a release what it did with one of its objects; some may have been deleted by hand. */
async function isAppliedServerSide(kubectl: ClusterSite['kubectl'], workloads: readonly Workload[]): Promise<boolean> {
  for (const { kind, name } of workloads) {
    const managers = await kubectl.appliersOf(kind.toLowerCase(), name);
    if (managers) return managers.includes(helmManager);
  }
  return false;
}

/** What an operator does about them. */
export const conflictFix =
  'Let go of it there, or give the chart the same value (replicas: in the values), or take it over with --force-conflicts.';
