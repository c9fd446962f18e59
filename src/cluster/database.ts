import type { BundleManifest } from '../bundle/manifest.ts';
import type { DatabaseTarget, Tools } from '../database/server.ts';
import { AirdockError } from '../errors.ts';
import type { Kubectl } from '../io/kubectl.ts';
import { readyPod } from './pods.ts';
import type { ClusterSite } from './site.ts';
import type { ChartObjects, Workload } from './workloads.ts';

/** The database of the release: in the pod of its workload. Undefined when the release has none there. */
export async function clusterDatabase(
  { kubectl }: Pick<ClusterSite, 'kubectl'>,
  manifest: BundleManifest,
  { workloads }: ChartObjects,
): Promise<(DatabaseTarget & { workload: Workload }) | undefined> {
  const { database } = manifest;
  if (database === 'none' || database.service === undefined) return undefined;
  const { service, userKey, nameKey } = database;
  const workload = workloads.find((one) => one.service === service);
  if (!workload) return undefined;
  const pod = await readyPod(kubectl, workload);
  const variable = async (key: string): Promise<string> => {
    const { exitCode, stdout } = await kubectl.exec(pod, workload.container, ['printenv', key]);
    if (exitCode === 0) return stdout.trim();
    throw new AirdockError('DATABASE_MISSING', `the pod ${pod} has no variable ${key}, which names the database or its user`, {
      hint: 'The chart and the release do not fit together: ask the vendor.',
    });
  };
  const [user, name] = [await variable(userKey), await variable(nameKey)];
  return { tools: podTools(kubectl, workload), service, user, database: name, workload };
}

/** Programs in the workload's pod, whichever it is when they are asked for: a pod may be another one meanwhile. */
function podTools(kubectl: Kubectl, workload: Workload): Tools {
  return {
    exec: async (_service, command, options) =>
      kubectl.exec(await readyPod(kubectl, workload), workload.container, command, options),
  };
}

/** The same in a pod that is known. */
export function toolsIn(kubectl: Kubectl, pod: string, container: string): Tools {
  return { exec: (_service, command, options) => kubectl.exec(pod, container, command, options) };
}
