import { parseAllDocuments } from 'yaml';
import type { KubeObject, Kubectl } from '../../io/kubectl.ts';
import type { ChartObjects, PodSpec } from '../pods/workloads.ts';

/** Secrets that pods want and the chart does not make: without them a pod waits for ever, and helm tells only that it waited. */

/** `key` undefined: any, the whole of it is taken. */
type Wanted = { secret: string; key: string | undefined };

/** @returns `Secret nodepad`, or `the key POSTGRES_PASSWORD of Secret nodepad`, sorted */
export async function missingSecrets(
  kubectl: Pick<Kubectl, 'get'>,
  rendered: string,
  { workloads, migration }: ChartObjects,
): Promise<string[]> {
  const made = madeSecrets(rendered);
  const specs = [...workloads.map(({ spec }) => spec), ...(migration ? [migration.spec.template.spec] : [])];
  const wanted = specs.flatMap(wantedBy).filter(({ secret }) => !made.has(secret));
  const missing = new Set<string>();
  for (const name of new Set(wanted.map(({ secret }) => secret))) {
    const there = await kubectl.get<KubeObject & { data?: Record<string, string> }>('secret', name);
    if (!there) missing.add(`Secret ${name}`);
    else
      for (const { secret, key } of wanted)
        if (secret === name && key !== undefined && !(key in (there.data ?? {}))) missing.add(`the key ${key} of Secret ${name}`);
  }
  return [...missing].toSorted();
}

/** Secrets of the chart, and whatever its custom resources name: an operator (External Secrets, cert-manager) makes those. */
function madeSecrets(rendered: string): Set<string> {
  const objects = parseAllDocuments(rendered, { merge: true }).flatMap(
    (document) => (document.toJS() as KubeObject | null) ?? [],
  );
  return new Set(
    objects.flatMap((object) => {
      if (object.kind === 'Secret') return [object.metadata.name];
      return isCustom(object) ? [object.metadata.name, ...stringsIn(object['spec'])] : [];
    }),
  );
}

/** Kubernetes' own groups have no dot, or end with `k8s.io`. */
function isCustom({ apiVersion = '' }: KubeObject): boolean {
  const group = apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '';
  return group.includes('.') && !/(^|\.)k8s\.io$/.test(group);
}

function stringsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(stringsIn) : [];
}

type Reference = { name?: string; key?: string; optional?: boolean };
type Container = {
  env?: { valueFrom?: { secretKeyRef?: Reference } }[];
  envFrom?: { secretRef?: Reference }[];
};

function wantedBy(spec: PodSpec): Wanted[] {
  const containers = [...spec.containers, ...((spec['initContainers'] as Container[] | undefined) ?? [])] as Container[];
  const volumes = (spec['volumes'] as { secret?: { secretName: string; optional?: boolean } }[] | undefined) ?? [];
  const references: (Reference | undefined)[] = [
    ...containers.flatMap(({ env = [], envFrom = [] }) => [
      ...env.map(({ valueFrom }) => valueFrom?.secretKeyRef),
      ...envFrom.map(({ secretRef }) => secretRef),
    ]),
    ...volumes.map(({ secret }) => secret && { name: secret.secretName, optional: secret.optional ?? false }),
  ];
  return references.flatMap((one) => (one?.name === undefined || one.optional ? [] : [{ secret: one.name, key: one.key }]));
}
