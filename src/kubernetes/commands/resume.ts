import { setTimeout as sleep } from 'node:timers/promises';
import { AirdockError, errorText, isAirdockError } from '../../errors.ts';
import { asStep } from '../../events.ts';
import type { Revision } from '../../io/helm-releases.ts';
import { databasePlace, withDatabase } from '../database/access.ts';
import { openTransaction, shapeOf, type ClusterTransaction } from '../record/record.ts';
import { endGood } from '../steps/good.ts';
import { waitKnownHealthy } from '../steps/health.ts';
import { stopHook } from '../steps/migration-hook.ts';
import { madeBy } from '../record/revisions.ts';
import { removeScratch } from '../pods/scratch-pod.ts';
import { flagsOf, kubectlFlags, type KubernetesRelease } from '../record/site.ts';
import { bringDatabaseBack, bringUp, stoppedBy, stopWriters } from '../steps/swap.ts';
import { end, note, type Running } from '../record/transaction.ts';
import { removeTools } from '../pods/tools-pod.ts';
import { removeTrials } from '../steps/trial.ts';
import { openButUnhealthy } from '../steps/undo.ts';
import { chartObjects } from '../pods/workloads.ts';

export type Resumed = { transaction: number; kind: ClusterTransaction['kind']; to: string; outcome: 'done' | 'rolled-back' };

type Outcome = Pick<Resumed, 'outcome'> & { summary: string };

export type ResumeOptions = {
  /** Shows whose transaction it is, and asks. @throws CONSENT_NEEDED */
  consent: (text: string) => Promise<void>;
};

/**
 * Finishes or undoes a transaction that was killed, on this machine or another (docs/adr/0013-cluster.md). helm's revisions show how
 * far helm came, and the OID of the database with the live name shows which database that is.
 * @returns undefined when no transaction is open
 * @throws NOT_A_DEPLOYMENT without a record
 * @throws UNDO_FAILED; the transaction then stays open. OPEN_BUT_UNHEALTHY when the new database was open, and helm did not come to its
 * end or the release is not healthy
 */
export async function helmResume(site: KubernetesRelease, options: ResumeOptions): Promise<Resumed | undefined> {
  const record = await site.records.read();
  if (!record)
    throw new AirdockError('NOT_A_DEPLOYMENT', `airdock has not worked on ${site.release} in ${site.kubectl.namespace}`, {
      hint: 'helm list -A shows what there is, and where.',
    });
  const open = openTransaction(record);
  if (!open) return undefined;
  const description = `transaction ${open.id} (${open.kind} ${open.to}) by ${open.operator}, since ${open.startedAt}`;
  if (open.pid !== null && open.operator === site.host.operator && (await site.host.runs(open.pid)))
    throw new AirdockError('LOCKED', `${description}, is under way: it is process ${open.pid} of this machine`, {
      hint: 'Wait for its end, or end it.',
    });
  await options.consent(
    `${description}: resume finishes this transaction or takes it back, so nobody may still be working on it\n`,
  );
  const running: Running = { record, transaction: open };
  // before anything is touched: an airdock that is still working on it fails with its next write, and stops
  await note(site, running, { operator: site.host.operator, pid: process.pid });
  site.host.listener({ type: 'note', text: `${description}, was interrupted; resuming it` });
  await removeScratch(site);
  await removeTrials(site);
  await removeTools(site);
  for (const { metadata } of await site.kubectl.list('pods', { 'airdock.dev/transaction': `${site.release}-${open.id}` }))
    await site.kubectl.remove('pod', metadata.name);
  const outcome = await asStep(site.host.listener, 'undo', async () => {
    const revisions = await settledHistory(site);
    if (revisions.length === 0) return nothingLeft(site, running);
    const made = madeBy(open, revisions);
    // a revision above helm's revision of this transaction is that of an undo that had begun
    if (made?.status === 'deployed' && made === revisions.at(-1)) return goOn(site, running, made);
    // pods of the new release may have let users in, to a database that was swapped in and opened
    if (made && open.kind === 'upgrade' && open.undo?.next) return finishHelm(site, running, made);
    return goBack(site, running, made);
  });
  return { transaction: open.id, kind: open.kind, to: open.to, outcome: outcome.outcome };
}

/** helm's history, once helm has come to its end: a helm that outlived its airdock may still be at work, and is given a minute. */
async function settledHistory({ helm, release }: KubernetesRelease): Promise<Revision[]> {
  for (const until = performance.now() + 60_000; ; await sleep(2000)) {
    const revisions = await helm.history(release);
    if (!revisions.at(-1)?.status.startsWith('pending') || performance.now() > until) return revisions;
  }
}

/** For a first install that was killed before helm began, and for a release that was uninstalled since: nothing is to be brought back. */
async function nothingLeft(site: KubernetesRelease, running: Running): Promise<Outcome> {
  await end(site, running, 'rolled-back', { error: running.transaction.error ?? 'airdock was killed' });
  return { outcome: 'rolled-back', summary: `helm has no release ${site.release}: nothing is installed` };
}

/**
 * For a helm that came to its end. A release that is not healthy is taken back, or left for a person to decide, as it would have been
 * by the command that was killed.
 */
async function goOn(site: KubernetesRelease, running: Running, made: Revision): Promise<Outcome> {
  const { undo, kind, to } = running.transaction;
  let healthy: string;
  try {
    const objects = chartObjects(await site.helm.manifest(site.release));
    if (undo) await bringUp(site, objects.workloads, undo, 600_000);
    healthy = await waitKnownHealthy(site, running.record, to, objects);
  } catch (error) {
    // any other error says nothing about the release: the transaction stays open for the next try
    if (!isAirdockError(error, 'HEALTH_FAILED') && !isAirdockError(error, 'UP_FAILED')) throw error;
    if (kind === 'upgrade' && undo?.next) throw await openButUnhealthy(site, running, error);
    site.host.listener({ type: 'warning', text: `${to} is not healthy and is taken back: ${error.message}` });
    return goBack(site, running, made, error.message);
  }
  await endGood(site, running, made.revision);
  return { outcome: 'done', summary: `${to} is serving: ${healthy}` };
}

/** For a helm that was killed or interrupted, too. Its revision has all that helm was to apply, and `helm rollback` to that revision applies it. */
async function finishHelm(site: KubernetesRelease, running: Running, made: Revision): Promise<Outcome> {
  let finished: Revision | undefined;
  try {
    await site.helm.rollback(site.release, made.revision, { timeoutSeconds: 600, forceConflicts: true });
    finished = (await site.helm.history(site.release)).at(-1);
  } catch (error) {
    throw await openButUnhealthy(site, running, error);
  }
  return goOn(site, running, finished ?? made);
}

async function goBack(
  site: KubernetesRelease,
  running: Running,
  made: Revision | undefined,
  reason = running.transaction.error ?? 'airdock was killed',
): Promise<Outcome> {
  const { undo, revisions, from } = running.transaction;
  try {
    if (made) await stopHook(site, chartObjects(await site.helm.hooks(site.release, made.revision)).migration);
    const objects = chartObjects(await site.helm.manifest(site.release, revisions.before ?? undefined));
    if (undo?.live) {
      // pods that helm started must never reach the database that comes back
      if (made) await stopWriters(site, stoppedBy(undo, objects));
      const shape = shapeOf(running.record);
      await withDatabase(site, await databasePlace(site, shape, objects), shape.databaseImage ?? undefined, async (database) => {
        if (database) await bringDatabaseBack(database, running, running.transaction.kind === 'rollback');
      });
    }
    if (revisions.before !== null && made)
      await site.helm.rollback(site.release, revisions.before, { timeoutSeconds: 600, forceConflicts: true });
    if (undo?.live) await bringUp(site, objects.workloads, undo, 600_000);
  } catch (cause) {
    throw new AirdockError('UNDO_FAILED', `the previous state could not be brought back: ${errorText(cause)}`, {
      hint: `Find the cause (kubectl ${kubectlFlags(site)} get pods), remove it, and run this again: airdock helm resume ${flagsOf(site)}`,
      cause,
    });
  }
  await end(site, running, 'rolled-back', { error: reason.slice(0, 2000) });
  return { outcome: 'rolled-back', summary: from === null ? 'nothing was installed before' : `${from} is serving` };
}
