import type { KubeObject, Kubectl } from '../../io/kubectl.ts';
import type { PodSpec } from './workloads.ts';

type Reference = { name: string; key?: string; optional?: boolean };
type From = { secretRef?: Reference; configMapRef?: Reference; prefix?: string };
type ValueFrom = { secretKeyRef?: Reference; configMapKeyRef?: Reference };

/**
 * The value of a variable of the first container, as its pod would get it: given directly, taken from a Secret or a ConfigMap, or by
 * `envFrom` (`env` wins over `envFrom`, a later entry over an earlier one). Undefined when the container has no variable of that name.
 */
export async function variableOf(
  kubectl: Kubectl,
  { containers: [container] }: PodSpec,
  key: string,
): Promise<string | undefined> {
  const entry = container?.env?.findLast(({ name }) => name === key);
  if (entry?.value !== undefined) return entry.value;
  const { secretKeyRef, configMapKeyRef } = (entry?.valueFrom ?? {}) as ValueFrom;
  const single = secretKeyRef ?? configMapKeyRef;
  if (single) return (await contentOf(kubectl, secretKeyRef ? 'secret' : 'configmap', single.name))[single.key ?? key];
  for (const { secretRef, configMapRef, prefix = '' } of ((container?.['envFrom'] ?? []) as From[]).toReversed()) {
    const all = secretRef ?? configMapRef;
    if (!all || !key.startsWith(prefix)) continue;
    const value = (await contentOf(kubectl, secretRef ? 'secret' : 'configmap', all.name))[key.slice(prefix.length)];
    if (value !== undefined) return value;
  }
  return undefined;
}

async function contentOf(kubectl: Kubectl, kind: 'secret' | 'configmap', name: string): Promise<Record<string, string>> {
  const { data = {} } = (await kubectl.get<KubeObject & { data?: Record<string, string> }>(kind, name)) ?? {};
  if (kind === 'configmap') return data;
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]));
}
