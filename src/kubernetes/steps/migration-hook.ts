import type { KubeObject, Pod } from '../../io/kubectl.ts';
import type { KubernetesRelease } from '../record/site.ts';

/** The chart's migration Job, as helm runs it in a hook. */

/** The log of the youngest pod of a hook's Job; '' when no pod is left. */
export async function hookLog({ kubectl }: KubernetesRelease, migration: KubeObject): Promise<string> {
  const pods = await kubectl.list<Pod>('pods', { 'job-name': migration.metadata.name });
  const youngest = pods
    .toSorted((a, b) => (a.metadata.creationTimestamp ?? '').localeCompare(b.metadata.creationTimestamp ?? ''))
    .at(-1);
  return youngest ? kubectl.logs(youngest.metadata.name, { tail: 200 }) : '';
}

/** Whether the hook's Job exists and has not come to its end. */
export async function hookAtWork({ kubectl }: KubernetesRelease, migration: KubeObject | undefined): Promise<boolean> {
  const job = migration && (await kubectl.get<Job>('job', migration.metadata.name));
  const ended = job?.status?.conditions?.some(
    ({ type, status }) => (type === 'Complete' || type === 'Failed') && status === 'True',
  );
  return job !== undefined && !ended;
}

/**
 * Deletes the hook's Job if it is still at work. helm does not end a Job that it stopped waiting for (a timeout, Ctrl-C, a kill), and
 * the Job would go on migrating during the next steps. A Job that came to its end stays, so that its log can be read.
 */
export async function stopHook(site: KubernetesRelease, migration: KubeObject | undefined): Promise<void> {
  if (migration && (await hookAtWork(site, migration)))
    await site.kubectl.remove('job', migration.metadata.name, { owned: true });
}

type Job = KubeObject & { status?: { conditions?: { type: string; status: string }[] } };
