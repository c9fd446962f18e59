import { setTimeout as sleep } from 'node:timers/promises';
import { AirdockError } from '../../errors.ts';
import type { Kubectl, Pod } from '../../io/kubectl.ts';
import { kubectlFlags } from '../record/site.ts';
import type { Workload } from './workloads.ts';

/** The pods of a workload that are not on their way out, the ready ones first. */
export async function podsOf(kubectl: Kubectl, { selector }: Pick<Workload, 'selector'>): Promise<Pod[]> {
  const pods = await kubectl.list<Pod>('pods', selector);
  return pods
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .toSorted((a, b) => Number(isReady(b)) - Number(isReady(a)));
}

export function isReady({ status }: Pod): boolean {
  return status?.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True') ?? false;
}

/** @throws DATABASE_UNREACHABLE when none is ready */
export async function readyPod(kubectl: Kubectl, workload: Workload): Promise<string> {
  const [pod] = await podsOf(kubectl, workload);
  if (pod && isReady(pod)) return pod.metadata.name;
  throw new AirdockError('DATABASE_UNREACHABLE', `no pod of ${workload.kind} ${workload.name} is ready`, {
    hint: `Look at it: kubectl ${kubectlFlags({ kubectl })} describe pod -l ${labelsText(workload.selector)}`,
  });
}

/** Until the pods of these workloads are gone, those on their way out, too: their connections are. Evicted ones lie about, and have none. */
export async function waitGone(kubectl: Kubectl, workloads: readonly Workload[], timeoutMs: number): Promise<void> {
  for (const end = performance.now() + timeoutMs; ; await sleep(500)) {
    const pods = (await Promise.all(workloads.map(({ selector }) => kubectl.list<Pod>('pods', selector)))).flat();
    const left = pods.filter(({ status }) => status?.phase !== 'Succeeded' && status?.phase !== 'Failed');
    if (left.length === 0) return;
    if (performance.now() < end) continue;
    throw new AirdockError('STEP_FAILED', `pods do not go away: ${left.map(({ metadata }) => metadata.name).join(', ')}`, {
      hint: 'kubectl describe pod tells why; a node that does not answer keeps its pods until somebody removes them.',
    });
  }
}

/** Until a pod ended, or is ready when `ready` is asked for. @throws SCRATCH_FAILED with what it said */
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
    const why = pod?.status?.containerStatuses
      ?.map(({ state }) => state?.['waiting']?.reason)
      .find((reason) => /Err|BackOff/.test(reason ?? ''));
    const gaveUp = !pod || (until === 'ready' && ended) || performance.now() > end;
    if (!gaveUp && why === undefined) continue;
    throw new AirdockError(
      'SCRATCH_FAILED',
      `pod ${name} did not ${until === 'ready' ? 'start' : 'end'}: ${why ?? (pod ? phase : 'it is gone')}\n${await kubectl.logs(name, { tail: 10 })}`.trim(),
      {
        hint: 'It says nothing about the backup, and nothing was changed. Can the cluster pull the images that were pushed, and has it room for one more pod? --no-rehearsal does without.',
      },
    );
  }
}

/** Of those that are not ready: `nodepad-api-7c: CreateContainerConfigError: secret "nodepad" not found`, one a pod. */
export async function whyNotReady(kubectl: Kubectl, selectors: readonly Workload['selector'][]): Promise<string[]> {
  const pods = (await Promise.all(selectors.map((selector) => podsOf(kubectl, { selector })))).flat();
  return pods
    .filter((pod) => !isReady(pod) && pod.status?.phase !== 'Succeeded')
    .flatMap((pod) => {
      const states = pod.status?.containerStatuses?.map(({ state }) => state?.['waiting'] ?? state?.['terminated']) ?? [];
      const unscheduled = pod.status?.conditions?.find(({ type, status }) => type === 'PodScheduled' && status === 'False');
      const why = [
        ...states.flatMap((state) => (state?.reason === undefined ? [] : [[state.reason, state.message]])),
        ...(unscheduled ? [['no node takes it', unscheduled.message]] : []),
      ];
      return why.map((words) => `${pod.metadata.name}: ${words.filter(Boolean).join(': ')}`);
    });
}

function labelsText(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map((pair) => pair.join('='))
    .join(',');
}
