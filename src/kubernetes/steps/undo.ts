import { AirdockError, errorText, isAirdockError } from '../../errors.ts';
import { higherVersion } from '../../policy/reached.ts';
import type { LiveDatabase } from '../database/access.ts';
import type { ClusterFacts } from '../plan/facts.ts';
import { flagsOf, kubectlFlags, type KubernetesRelease } from '../record/site.ts';
import { stopHook } from './migration-hook.ts';
import { madeBy } from '../record/revisions.ts';
import { bringUp, keptBy, bringDatabaseBack } from './swap.ts';
import { end, type Running } from '../record/transaction.ts';
import { isHook, podsRolled } from './upgrade.ts';

/** What becomes of an upgrade that fails (docs/adr/0013-cluster.md, "Steps"). */

/** How far it came: pods may have rolled, so helm goes back too; helm was asked at all, so its hook may be at work. */
export type Came = 'before-helm' | 'in-its-hook' | 'to-the-pods';

/** May be repeated. */
export async function bringBack(
  site: KubernetesRelease,
  facts: ClusterFacts,
  database: LiveDatabase | undefined,
  running: Running,
  came: Came,
): Promise<{ outcome: 'undone' | 'rolled-back'; summary: string }> {
  const { undo, revisions } = running.transaction;
  const rolled = came === 'to-the-pods';
  if (came !== 'before-helm') await stopHook(site, facts.target.migration);
  if (undo?.live && database) await bringDatabaseBack(database, running, false);
  if (rolled && revisions.before !== null)
    await site.helm.rollback(site.release, revisions.before, { timeoutSeconds: 600, forceConflicts: true });
  if (undo?.live) await bringUp(site, facts.running.workloads, undo, 600_000);
  const serves =
    facts.from === null
      ? 'nothing was installed before'
      : `${facts.from} is serving${rolled || undo?.live ? ' again' : ', untouched'}`;
  return { outcome: rolled || undo?.live ? 'rolled-back' : 'undone', summary: serves };
}

/** After helm failed: by the words that it has for its hooks, and by whether it began at all. What cannot be known has rolled. */
export async function cameTo(site: KubernetesRelease, { transaction }: Running, error: unknown): Promise<Came> {
  if (isHook(error)) return podsRolled(error) ? 'to-the-pods' : 'in-its-hook';
  if (isAirdockError(error, 'LOCKED')) return 'before-helm';
  const revisions = await site.helm.history(site.release).catch(() => undefined);
  return revisions && !madeBy(transaction, revisions) ? 'before-helm' : 'to-the-pods';
}

/** The new database is open and users may have written: nothing is swapped by itself. */
export async function openButUnwell(site: KubernetesRelease, running: Running, error: unknown): Promise<AirdockError> {
  const { from, to } = running.transaction;
  const said = errorText(error);
  const kept = keptBy(site, running, from ?? to);
  await end(
    site,
    running,
    'failed',
    // the replicas as they were: whoever tries again finds none
    { error: said.slice(0, 2000), undo: running.transaction.undo },
    { current: to, schemaRelease: higherVersion(running.record.schemaRelease, to), kept: [...running.record.kept, ...kept] },
  );
  return new AirdockError(
    'OPEN_BUT_UNHEALTHY',
    `${to} is in place with its database, users may have written, and it is not well: ${said}`,
    {
      hint: `Put it right (kubectl ${kubectlFlags(site)} get pods) and upgrade again, or go back: airdock helm rollback ${from} --restore-database ${flagsOf(site)}`,
      cause: error,
    },
  );
}

/** The new database is open, and helm was interrupted: the transaction stays open. */
export function goesOn(site: KubernetesRelease, cause: unknown): AirdockError {
  return new AirdockError('OPEN_BUT_UNHEALTHY', 'interrupted while helm brought the new version up; its database is in place', {
    hint: `Let it be finished: airdock helm resume ${flagsOf(site)}`,
    cause,
  });
}
