import { AirdockError } from '../../errors.ts';
import type { KubeObject, Pod } from '../../io/kubectl.ts';
import { waitPod } from './pods.ts';
import type { KubernetesRelease } from '../record/site.ts';
import type { ChartObjects, EnvEntry, PodSpec } from './workloads.ts';

/** The chart's migration Job, run as a pod of airdock's own: on a copy, or in a rehearsal. */

export type MigrationRun = {
  name: string;
  labels: Record<string, string>;
  /** In place of those of the Job that have these names, or, with `only`, in place of all of them. */
  env: Readonly<Record<string, string>>;
  /** The same, for what has a password in it: from a Secret that is made for the pod. */
  secret?: Readonly<Record<string, string>>;
  only?: boolean;
  /** Besides: `hostAliases`, where names are asked. */
  spec?: Record<string, unknown>;
  timeoutMs: number;
};

/** @returns its exit code, and what it printed */
export async function runMigration(
  { kubectl, host }: KubernetesRelease,
  migration: NonNullable<ChartObjects['migration']>,
  run: MigrationRun,
): Promise<{ exitCode: number; output: string }> {
  const { name, labels, secret = {} } = run;
  const remove = async (): Promise<void> => {
    await kubectl.remove('pod', name);
    if (Object.keys(secret).length > 0) await kubectl.remove('secret', name);
  };
  await remove();
  try {
    if (Object.keys(secret).length > 0)
      await kubectl.create({ apiVersion: 'v1', kind: 'Secret', metadata: { name, labels }, type: 'Opaque', stringData: secret });
    await kubectl.create(podOf(migration.spec.template.spec, run));
    const pod = await waitPod(kubectl, run.name, { until: 'ended', timeoutMs: run.timeoutMs, signal: host.signal });
    return { exitCode: exitCodeOf(pod), output: await kubectl.logs(run.name, { tail: 1000 }) };
  } finally {
    await remove();
  }
}

function podOf(spec: PodSpec, { name, labels, env, secret = {}, only = false, spec: besides = {} }: MigrationRun): KubeObject {
  const [container, ...others] = spec.containers;
  if (!container) throw new AirdockError('CHART_INVALID', 'the migration’s Job has no container');
  const given: EnvEntry[] = [
    ...Object.entries(env).map(([key, value]) => ({ name: key, value })),
    ...Object.keys(secret).map((key) => ({ name: key, valueFrom: { secretKeyRef: { name, key } } })),
  ];
  const kept = only ? [] : (container.env ?? []).filter((entry) => !(entry.name in env) && !(entry.name in secret));
  const { envFrom: _all, ...alone } = container;
  const migrating = { ...(only ? alone : container), env: [...kept, ...given] };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels },
    spec: { ...spec, ...besides, restartPolicy: 'Never', containers: [migrating, ...others] },
  };
}

function exitCodeOf({ status }: Pod): number {
  return status?.containerStatuses?.[0]?.state?.['terminated']?.exitCode ?? (status?.phase === 'Succeeded' ? 0 : 1);
}
