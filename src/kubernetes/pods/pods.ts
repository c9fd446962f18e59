import { setTimeout as sleep } from 'node:timers/promises';
import { AirdockError } from '../../errors.ts';
import type { Kubectl, Pod } from '../../io/kubectl.ts';
import { kubectlFlags } from '../record/site.ts';
import type { Workload } from './workloads.ts';

/** The pods of a workload that are not being deleted, the ready ones first. */
export async function podsOf(kubectl: Kubectl, { selector }: Pick<Workload, 'selector'>): Promise<Pod[]> {
  const pods = await kubectl.list<Pod>('pods', selector);
  return pods
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .toSorted((a, b) => Number(isReady(b)) - Number(isReady(a)));
}

export function isReady({ status }: Pod): boolean {
  return status?.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True') ?? false;
}

/** The name of a ready pod of a workload. @throws DATABASE_UNREACHABLE when no pod is ready */
export async function readyPod(kubectl: Kubectl, workload: Workload): Promise<string> {
  const [pod] = await podsOf(kubectl, workload);
  if (pod && isReady(pod)) return pod.metadata.name;
  throw new AirdockError('DATABASE_UNREACHABLE', `no pod of ${workload.kind} ${workload.name} is ready`, {
    hint: `Look at it: kubectl ${kubectlFlags({ kubectl })} describe pod -l ${labelsText(workload.selector)}`,
  });
}

/**
 * Waits until the pods of these workloads are gone, also those that are being deleted: their connections are gone, too, then. Pods that
 * ended (evicted ones, for example) stay in the list and have no connections.
 */
export async function waitGone(kubectl: Kubectl, workloads: readonly Workload[], timeoutMs: number): Promise<void> {
  for (const end = performance.now() + timeoutMs; ; await sleep(500)) {
    const pods = (await Promise.all(workloads.map(({ selector }) => kubectl.list<Pod>('pods', selector)))).flat();
    const left = pods.filter(({ status }) => status?.phase !== 'Succeeded' && status?.phase !== 'Failed');
    if (left.length === 0) return;
    if (performance.now() < end) continue;
    throw new AirdockError('STEP_FAILED', `pods did not end: ${left.map(({ metadata }) => metadata.name).join(', ')}`, {
      hint: 'kubectl describe pod shows why. If a node does not answer, its pods stay until somebody removes them.',
    });
  }
}

/** Waits until a pod has ended or is ready, as `until` says. @throws SCRATCH_FAILED with the end of the pod's log */
export async function waitPod(
  kubectl: Kubectl,
  name: string,
  { until, timeoutMs, signal }: { until: 'ready' | 'ended'; timeoutMs: number; signal?: AbortSignal },
): Promise<Pod> {
  for (const end = performance.now() + timeoutMs; ; await sleep(500, undefined, signal ? { signal } : {})) {
    const pod = await kubectl.get<Pod>('pod', name);
    const phase = pod?.status?.phase ?? '';
    const ended = phase === 'Succeeded' || phase === 'Failed';
    if (pod && (until === 'ended' ? ended : isReady(pod))) return pod;
    const startError = pod?.status?.containerStatuses
      ?.map(({ state }) => state?.['waiting']?.reason)
      .find((reason) => /Err|BackOff/.test(reason ?? ''));
    const gaveUp = !pod || (until === 'ready' && ended) || performance.now() > end;
    if (!gaveUp && startError === undefined) continue;
    throw new AirdockError(
      'SCRATCH_FAILED',
      `pod ${name} did not ${until === 'ready' ? 'start' : 'end'}: ${startError ?? (pod ? phase : 'it was deleted')}\n${await kubectl.logs(name, { tail: 10 })}`.trim(),
      {
        hint: 'The backup is not at fault, and nothing was changed. Check that the cluster can pull the pushed images and has room for one more pod, or skip the rehearsal with --no-rehearsal.',
      },
    );
  }
}

/** Why pods are not ready: `nodepad-api-7c: CreateContainerConfigError: secret "nodepad" not found`, a line for each reason. */
export async function whyNotReady(kubectl: Kubectl, selectors: readonly Workload['selector'][]): Promise<string[]> {
  const pods = (await Promise.all(selectors.map((selector) => podsOf(kubectl, { selector })))).flat();
  return pods
    .filter((pod) => !isReady(pod) && pod.status?.phase !== 'Succeeded')
    .flatMap((pod) => {
      const states = pod.status?.containerStatuses?.map(({ state }) => state?.['waiting'] ?? state?.['terminated']) ?? [];
      const unscheduled = pod.status?.conditions?.find(({ type, status }) => type === 'PodScheduled' && status === 'False');
      const reasons = [
        ...states.flatMap((state) => (state?.reason === undefined ? [] : [[state.reason, state.message]])),
        ...(unscheduled ? [['no node can run it', unscheduled.message]] : []),
      ];
      return reasons.map((parts) => `${pod.metadata.name}: ${parts.filter(Boolean).join(': ')}`);
    });
}

function labelsText(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map((pair) => pair.join('='))
    .join(',');
}
