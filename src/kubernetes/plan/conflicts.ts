import { parseAllDocuments } from 'yaml';
import type { KubeObject } from '../../io/kubectl.ts';
import type { KubernetesRelease } from '../record/site.ts';

/** helm 4 applies under this name (`kubectl get --show-managed-fields`). */
const helmManager = 'helm';

/**
 * What helm would be refused (docs/adr/0013-cluster.md, "Owners"): fields that somebody else set, and the manifests set otherwise. The
 * API server is asked, which changes nothing. Only a release that helm 4 applies server-side has such.
 * @returns `Deployment nodepad-frontend: conflict with "kubectl-set" using apps/v1: .spec.…`, one for each object
 */
export async function fieldConflicts(
  { kubectl, helm, release }: Pick<KubernetesRelease, 'kubectl' | 'helm' | 'release'>,
  manifests: string,
): Promise<string[]> {
  if (!(await helm.appliesServerSide(release))) return [];
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

/** What an operator does about them. */
export const conflictFix =
  'Give the chart the same value, where its values have one (replicas), or take the fields over with --force-conflicts.';
