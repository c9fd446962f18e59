import { AirdockError, errorText, isAirdockError } from '../../errors.ts';
import { higherVersion } from '../../policy/reached.ts';
import type { LiveDatabase } from '../database/access.ts';
import type { ClusterFacts } from '../plan/facts.ts';
import { flagsOf, kubectlFlags, type KubernetesRelease } from '../record/site.ts';
import { stopHook } from './migration-hook.ts';
import { madeBy } from '../record/revisions.ts';
import { bringUp, keptBy, bringDatabaseBack } from './swap.ts';
import { end, type Running } from '../record/transaction.ts';
import { isHookFailure, podsWereReplaced } from './upgrade.ts';

/** What is done with an upgrade that fails (docs/adr/0013-cluster.md, "Steps"). */

/**
 * How far helm came. `to-the-pods`: pods may have been replaced, so helm must go back, too. `in-its-hook`: the hook's Job may still be at
 * work. `before-helm`: helm did nothing.
 */
export type HelmProgress = 'before-helm' | 'in-its-hook' | 'to-the-pods';

/** Brings back what was in place before the upgrade. May be repeated. */
export async function bringBack(
  site: KubernetesRelease,
  facts: ClusterFacts,
  database: LiveDatabase | undefined,
  running: Running,
  came: HelmProgress,
): Promise<{ outcome: 'undone' | 'rolled-back'; summary: string }> {
  const { undo, revisions } = running.transaction;
  const rolled = came === 'to-the-pods';
  if (came !== 'before-helm') await stopHook(site, facts.target.migration);
  if (undo?.live && database) await bringDatabaseBack(database, running, false);
  if (rolled && revisions.before !== null)
    await site.helm.rollback(site.release, revisions.before, { timeoutSeconds: 600, forceConflicts: true });
  if (undo?.live) await bringUp(site, facts.running.workloads, undo, 600_000);
  const summary =
    facts.from === null
      ? 'nothing was installed before'
      : `${facts.from} is serving${rolled || undo?.live ? ' again' : ', untouched'}`;
  return { outcome: rolled || undo?.live ? 'rolled-back' : 'undone', summary };
}

/** How far a helm came that failed, by its error and its history. When that cannot be known, pods may have been replaced. */
export async function howFarHelmCame(site: KubernetesRelease, { transaction }: Running, error: unknown): Promise<HelmProgress> {
  if (isHookFailure(error)) return podsWereReplaced(error) ? 'to-the-pods' : 'in-its-hook';
  if (isAirdockError(error, 'LOCKED')) return 'before-helm';
  const revisions = await site.helm.history(site.release).catch(() => undefined);
  return revisions && !madeBy(transaction, revisions) ? 'before-helm' : 'to-the-pods';
}

/** Ends a transaction whose new database is open. Users may have written to it, so airdock swaps nothing by itself. @returns the error to throw */
export async function openButUnhealthy(site: KubernetesRelease, running: Running, error: unknown): Promise<AirdockError> {
  const { from, to } = running.transaction;
  const message = errorText(error);
  const kept = keptBy(site, running, from ?? to);
  await end(
    site,
    running,
    'failed',
    // the replicas of before: the next upgrade finds writers at 0
    { error: message.slice(0, 2000), undo: running.transaction.undo },
    { current: to, schemaRelease: higherVersion(running.record.schemaRelease, to), kept: [...running.record.kept, ...kept] },
  );
  return new AirdockError(
    'OPEN_BUT_UNHEALTHY',
    `${to} and its database are in place, users may have written, and ${to} is not healthy: ${message}`,
    {
      hint: `Find and remove the cause (kubectl ${kubectlFlags(site)} get pods) and upgrade again, or go back: airdock helm rollback ${from} --restore-database ${flagsOf(site)}`,
      cause: error,
    },
  );
}

/** The error of an upgrade whose helm was interrupted after the new database was opened. The transaction stays open. */
export function interruptedInHelm(site: KubernetesRelease, cause: unknown): AirdockError {
  return new AirdockError(
    'OPEN_BUT_UNHEALTHY',
    'the upgrade was interrupted while helm started the new version, whose database is in place',
    {
      hint: `Finish it: airdock helm resume ${flagsOf(site)}`,
      cause,
    },
  );
}
