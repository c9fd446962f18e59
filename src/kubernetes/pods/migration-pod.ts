import { AirdockError } from '../../errors.ts';
import type { KubeObject, Pod } from '../../io/kubectl.ts';
import { waitPod } from './pods.ts';
import type { KubernetesRelease } from '../record/site.ts';
import type { ChartObjects, EnvEntry, PodSpec } from './workloads.ts';

/** Runs the chart's migration Job as a pod of airdock: on a copy, or in a rehearsal. */

export type MigrationRun = {
  name: string;
  labels: Record<string, string>;
  /** Variables. They replace those of the Job that have the same names, or, with `only`, all of the Job's variables. */
  env: Readonly<Record<string, string>>;
  /** The same for variables that contain a password: they come from a Secret that is made for the pod. */
  secret?: Readonly<Record<string, string>>;
  only?: boolean;
  /** More members of the pod's spec, such as `hostAliases`. */
  spec?: Record<string, unknown>;
  timeoutMs: number;
};

/** @returns the exit code and the log of the migration */
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

function podOf(spec: PodSpec, { name, labels, env, secret = {}, only = false, spec: more = {} }: MigrationRun): KubeObject {
  const [container, ...others] = spec.containers;
  if (!container) throw new AirdockError('CHART_INVALID', 'the migration Job has no container');
  const added: EnvEntry[] = [
    ...Object.entries(env).map(([key, value]) => ({ name: key, value })),
    ...Object.keys(secret).map((key) => ({ name: key, valueFrom: { secretKeyRef: { name, key } } })),
  ];
  const kept = only ? [] : (container.env ?? []).filter((entry) => !(entry.name in env) && !(entry.name in secret));
  const { envFrom: _envFrom, ...withoutEnvFrom } = container;
  const migrating = { ...(only ? withoutEnvFrom : container), env: [...kept, ...added] };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels },
    spec: { ...spec, ...more, restartPolicy: 'Never', containers: [migrating, ...others] },
  };
}

function exitCodeOf({ status }: Pod): number {
  return status?.containerStatuses?.[0]?.state?.['terminated']?.exitCode ?? (status?.phase === 'Succeeded' ? 0 : 1);
}
