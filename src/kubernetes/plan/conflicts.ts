import { parseAllDocuments } from 'yaml';
import type { KubeObject } from '../../io/kubectl.ts';
import type { KubernetesRelease } from '../record/site.ts';

/** helm 4 applies under this name (`kubectl get --show-managed-fields`). */
const helmManager = 'helm';

/**
 * The conflicts for which helm would be refused (docs/adr/0013-cluster.md, "Owners"): fields that somebody else set and that the
 * manifests set to another value. A dry run on the API server finds them. Only a release that helm 4 applies server-side has conflicts.
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
  // for several objects the API server does not say which conflict belongs to which object
  const conflicts = await Promise.all(objects.map((object) => kubectl.conflicts([object], helmManager)));
  return conflicts.flatMap((text, index) =>
    text === undefined ? [] : [`${objects[index]?.kind} ${objects[index]?.metadata.name}: ${text}`],
  );
}

/** What an operator does about conflicting fields. */
export const conflictFix =
  'Set the same value in your values file, where the chart has one for it (replicas), or take the fields over with --force-conflicts.';
