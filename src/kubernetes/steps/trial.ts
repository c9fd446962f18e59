import type { BundleManifest } from '../../bundle/manifest.ts';
import { jsonProblem } from '../../policy/health-answer.ts';
import { AirdockError } from '../../errors.ts';
import type { KubeObject } from '../../io/kubectl.ts';
import { waitPod } from '../pods/pods.ts';
import { insideLabels, type KubernetesRelease } from '../record/site.ts';
import type { Workload } from '../pods/workloads.ts';

/**
 * Runs the new code on the new database before users come in: a pod of each writer that is no traffic service, with labels that no
 * Service selects. Until these pods are healthy, a failure may put the old database back, because nobody else wrote
 * (docs/adr/0008-irreversible.md). @returns a summary
 * @throws HEALTH_FAILED, SCRATCH_FAILED
 */
export async function trial(
  site: KubernetesRelease,
  manifest: BundleManifest,
  writers: readonly Workload[],
  timeoutMs: number,
): Promise<string> {
  const { kubectl } = site;
  const tried = writers.filter(({ service }) => !manifest.traffic.includes(service));
  await removeTrials(site);
  try {
    for (const { name, service, spec } of tried) {
      const pod = `airdock-trial-${name}`.slice(0, 63);
      await kubectl.create({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: pod, labels: { ...trialLabels(site), ...insideLabels(site) } },
        spec: { ...spec, restartPolicy: 'Never' },
      });
      await waitPod(kubectl, pod, { until: 'ready', timeoutMs, signal: site.host.signal });
      for (const check of manifest.health.filter((one) => one.scope === 'internal' && one.service === service)) {
        const [, port = '80', path = '/'] = /^https?:\/\/[^/:]*(?::(\d+))?(\/.*)?$/.exec(check.url) ?? [];
        const body = await kubectl.raw(`/api/v1/namespaces/${kubectl.namespace}/pods/${pod}:${port}/proxy${path}`);
        const problem =
          body === undefined ? `${check.name}: ${path} does not answer with 200` : check.json && jsonProblem(check, body);
        if (problem !== undefined)
          throw new AirdockError('HEALTH_FAILED', `${problem}\n${await kubectl.logs(pod, { tail: 10 })}`.trim(), {
            hint: 'Send the log to the vendor.',
          });
      }
    }
    return tried.length === 0
      ? 'nothing to try'
      : `${tried.map(({ service }) => service).join(', ')} healthy on the new database`;
  } finally {
    await removeTrials(site);
  }
}

export async function removeTrials(site: KubernetesRelease): Promise<void> {
  for (const { metadata } of await site.kubectl.list<KubeObject>('pods', trialLabels(site)))
    await site.kubectl.remove('pod', metadata.name);
}

function trialLabels({ release }: KubernetesRelease): Record<string, string> {
  return { 'airdock.dev/trial': release };
}
