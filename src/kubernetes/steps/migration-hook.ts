import type { KubeObject, Pod } from '../../io/kubectl.ts';
import type { KubernetesRelease } from '../record/site.ts';

/** The chart's migration Job as helm runs it, in its hook. */

/** What a hook's Job printed, of its youngest pod; '' when it is gone. */
export async function hookLog({ kubectl }: KubernetesRelease, migration: KubeObject): Promise<string> {
  const pods = await kubectl.list<Pod>('pods', { 'job-name': migration.metadata.name });
  const youngest = pods
    .toSorted((a, b) => (a.metadata.creationTimestamp ?? '').localeCompare(b.metadata.creationTimestamp ?? ''))
    .at(-1);
  return youngest ? kubectl.logs(youngest.metadata.name, { tail: 200 }) : '';
}

/** Whether it has not come to its end. */
export async function hookAtWork({ kubectl }: KubernetesRelease, migration: KubeObject | undefined): Promise<boolean> {
  const job = migration && (await kubectl.get<Job>('job', migration.metadata.name));
  const ended = job?.status?.conditions?.some(
    ({ type, status }) => (type === 'Complete' || type === 'Failed') && status === 'True',
  );
  return job !== undefined && !ended;
}

/**
 * helm does not end a Job that it stopped waiting for (its time was up, Ctrl-C, a kill): it would go on migrating behind whatever
 * is done next. Nothing to do where it came to its end, and its pods stay to be looked at.
 */
export async function stopHook(site: KubernetesRelease, migration: KubeObject | undefined): Promise<void> {
  if (migration && (await hookAtWork(site, migration)))
    await site.kubectl.remove('job', migration.metadata.name, { owned: true });
}

type Job = KubeObject & { status?: { conditions?: { type: string; status: string }[] } };
