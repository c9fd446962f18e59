import { parseAllDocuments } from 'yaml';
import type { KubeObject, Kubectl } from '../../io/kubectl.ts';
import type { ChartObjects, PodSpec } from '../pods/workloads.ts';

/**
 * Secrets that pods need and the chart does not make. Without its Secret a pod waits for ever, and helm reports only that it waited.
 */

/** `key` is undefined where a pod takes the whole Secret. */
type SecretReference = { secret: string; key: string | undefined };

/** @returns `Secret nodepad`, or `the key POSTGRES_PASSWORD of Secret nodepad`, sorted */
export async function missingSecrets(
  kubectl: Pick<Kubectl, 'get'>,
  rendered: string,
  { workloads, migration }: ChartObjects,
): Promise<string[]> {
  const made = madeSecrets(rendered);
  const specs = [...workloads.map(({ spec }) => spec), ...(migration ? [migration.spec.template.spec] : [])];
  const needed = specs.flatMap(secretsOf).filter(({ secret }) => !made.has(secret));
  const missing = new Set<string>();
  for (const name of new Set(needed.map(({ secret }) => secret))) {
    const present = await kubectl.get<KubeObject & { data?: Record<string, string> }>('secret', name);
    if (!present) missing.add(`Secret ${name}`);
    else
      for (const { secret, key } of needed)
        if (secret === name && key !== undefined && !(key in (present.data ?? {})))
          missing.add(`the key ${key} of Secret ${name}`);
  }
  return [...missing].toSorted();
}

/** Secrets of the chart, and all names in its custom resources: an operator (External Secrets, cert-manager) makes those Secrets. */
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

function secretsOf(spec: PodSpec): SecretReference[] {
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
