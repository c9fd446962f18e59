import type { BundleManifest } from '../../bundle/manifest.ts';
import { databaseByUrl, urlWith, type NamedByUrl } from '../../data/postgres/server/database-url.ts';
import { databaseSize, type DatabaseTarget, type Tools } from '../../data/postgres/server/server.ts';
import { AirdockError } from '../../errors.ts';
import type { Kubectl } from '../../io/kubectl.ts';
import { variableOf } from '../pods/pod-variables.ts';
import { readyPod } from '../pods/pods.ts';
import type { KubernetesRelease } from '../record/site.ts';
import { withToolsPod } from '../pods/tools-pod.ts';
import type { ChartObjects, PodSpec, Workload } from '../pods/workloads.ts';
import { databases } from '../../data/postgres/swap/admin.ts';
import type { ClusterRecord } from '../record/record.ts';

/** Where the database of a release is: in the pod of a workload of the release, or elsewhere, where a URL points. */
export type DatabasePlace =
  | { kind: 'pod'; service: string; workload: Workload; user: string; name: string }
  | { kind: 'elsewhere'; service: string; url: NamedByUrl; text: string; key: string; spec: PodSpec };

/** A database that is in reach, with its place. */
export type LiveDatabase = DatabaseTarget & {
  place: DatabasePlace;
  /** What a throwaway server beside it is made from. */
  scratch: { image: string; spec: PodSpec; container: string };
};

/** @returns undefined when the release declares no database, or none whose tools it carries. @throws DATABASE_MISSING, ENV_INVALID */
export async function databasePlace(
  { kubectl }: Pick<KubernetesRelease, 'kubectl'>,
  { database, writers }: Pick<BundleManifest, 'database' | 'writers'>,
  { workloads }: ChartObjects,
): Promise<DatabasePlace | undefined> {
  if (database === 'none' || database.service === undefined) return undefined;
  const { service, userKey, nameKey, urlKey } = database;
  const workload = workloads.find((one) => one.service === service);
  const writer = workloads.find((one) => writers.includes(one.service));
  const text = writer && urlKey !== undefined ? await variableOf(kubectl, writer.spec, urlKey) : undefined;
  if (writer && urlKey !== undefined && text !== undefined && text !== '')
    return { kind: 'elsewhere', service, key: urlKey, text, url: databaseByUrl(urlKey, text), spec: writer.spec };
  if (!workload) return undefined;
  const variable = async (key: string): Promise<string> => {
    const value = await variableOf(kubectl, workload.spec, key);
    if (value !== undefined) return value;
    throw new AirdockError('DATABASE_MISSING', `${workload.name} has no variable ${key}, which names the database or its user`, {
      hint: 'The chart does not fit the bundle. Ask the vendor.',
    });
  };
  return { kind: 'pod', service, workload, user: await variable(userKey), name: await variable(nameKey) };
}

/** Runs `work` with the database in reach. `image`: the image whose tools reach a database outside the cluster. */
export async function withDatabase<T>(
  site: KubernetesRelease,
  place: DatabasePlace | undefined,
  image: string | undefined,
  work: (database: LiveDatabase | undefined) => Promise<T>,
): Promise<T> {
  if (!place) return work(undefined);
  if (place.kind === 'pod') {
    const { workload, service, user, name } = place;
    const scratch = { image: workload.image, spec: workload.spec, container: workload.container };
    return work({ tools: podTools(site.kubectl, workload), service, user, database: name, place, scratch });
  }
  if (image === undefined)
    throw new AirdockError(
      'DATABASE_UNREACHABLE',
      `the database is at ${place.url.host}, and no PostgreSQL image is known whose tools could reach it`,
      {
        hint: 'Upgrade with --registry, which makes the images of the release known.',
      },
    );
  return withToolsPod(site, { url: place.url, image, spec: place.spec }, (tools) =>
    work({
      tools,
      service: place.service,
      user: place.url.user,
      database: place.url.name,
      place,
      scratch: { image, spec: place.spec, container: '' },
    }),
  );
}

/** The environment that points a migration at another database of the same server. `secret` holds what contains a password. */
export function environmentFor(
  { place }: LiveDatabase,
  { database }: Pick<BundleManifest, 'database'>,
  name: string,
): { env: Record<string, string>; secret: Record<string, string> } {
  if (place.kind === 'elsewhere') return { env: {}, secret: { [place.key]: urlWith(place.text, name) } };
  return { env: database === 'none' ? {} : { [database.nameKey]: name }, secret: {} };
}

/** The size in bytes; null where the database is not in reach yet. */
export async function sizeOf({ kubectl }: Pick<KubernetesRelease, 'kubectl'>, place: DatabasePlace): Promise<number | null> {
  if (place.kind === 'elsewhere') return null;
  const { workload, service, user, name } = place;
  return databaseSize({ tools: podTools(kubectl, workload), service, user, database: name });
}

/** Runs programs in the workload's pod. The pod is looked up for each program, because another pod may have taken its place. */
function podTools(kubectl: Kubectl, workload: Workload): Tools {
  return {
    exec: async (_service, command, options) =>
      kubectl.exec(await readyPod(kubectl, workload), workload.container, command, options),
  };
}

/** The kept databases that still exist: one may have been dropped by hand. */
export async function keptOnServer(target: DatabaseTarget, { kept }: ClusterRecord): Promise<ClusterRecord['kept']> {
  const { tools, service, user, database } = target;
  const existing = await databases({ tools, service, user, database, applicationName: 'airdock-look' });
  return kept.filter((one) => existing.some(({ name, oid }) => name === one.name && oid === one.oid));
}
