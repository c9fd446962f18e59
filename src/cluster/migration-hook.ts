import type { KubeObject, Pod } from '../io/kubectl.ts';
import type { ClusterSite } from './site.ts';

/** The chart's migration Job as helm runs it, in its hook. */

/** What a hook's Job printed, of its youngest pod; '' when it is gone. */
export async function hookLog({ kubectl }: ClusterSite, migration: KubeObject): Promise<string> {
  const pods = await kubectl.list<Pod>('pods', { 'job-name': migration.metadata.name });
  const youngest = pods
    .toSorted((a, b) => (a.metadata.creationTimestamp ?? '').localeCompare(b.metadata.creationTimestamp ?? ''))
    .at(-1);
  return youngest ? kubectl.logs(youngest.metadata.name, { tail: 200 }) : '';
}

/**
 * helm does not end a Job that it stopped waiting for (its time was up, Ctrl-C, a kill): it would go on migrating behind whatever
 * is done next. Nothing to do where it came to its end, and its pods stay to be looked at.
 * @returns whether it was at work
 */
export async function stopHook({ kubectl }: ClusterSite, migration: KubeObject | undefined): Promise<boolean> {
  const name = migration?.metadata.name;
  const job = name === undefined ? undefined : await kubectl.get<Job>('job', name);
  const ended = job?.status?.conditions?.some(
    ({ type, status }) => (type === 'Complete' || type === 'Failed') && status === 'True',
  );
  if (name === undefined || !job || ended) return false;
  await kubectl.remove('job', name, { owned: true });
  return true;
}

type Job = KubeObject & { status?: { conditions?: { type: string; status: string }[] } };
