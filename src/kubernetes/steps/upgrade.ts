import { migrationFailed } from '../../data/postgres/migration/migration-failed.ts';
import { asideName, nextName } from '../../data/postgres/swap/swap-names.ts';
import { AirdockError, isAirdockError } from '../../errors.ts';
import { asStep } from '../../events.ts';
import { bytesText, durationText } from '../../units.ts';
import { environmentFor, type LiveDatabase } from '../database/access.ts';
import { makeClusterBackup, proveAndRehearse } from '../database/backup.ts';
import type { ClusterFacts } from '../plan/facts.ts';
import { hookAtWork, hookLog } from './migration-hook.ts';
import { runMigration } from '../pods/migration-pod.ts';
import { whyNotReady } from '../pods/pods.ts';
import { insideLabels, kubectlFlags, type KubernetesRelease } from '../record/site.ts';
import { copy, open, quiesce, swapIn } from './swap.ts';
import { writersOf } from '../pods/workloads.ts';
import { note, type Running } from '../record/transaction.ts';
import { trial } from './trial.ts';
import type { UpgradeOptions } from '../plan/upgrade-options.ts';

/** What `airdock helm upgrade` does besides calling helm (docs/adr/0013-cluster.md, "Steps"). */

/** Backs up and rehearses. The running release is not touched. */
export async function prepare(
  site: KubernetesRelease,
  options: UpgradeOptions,
  facts: ClusterFacts,
  database: LiveDatabase | undefined,
  running: Running,
): Promise<void> {
  if (!database) return;
  await note(site, running, { backup: await backUp(site, facts, database) });
  if (!options.rehearse) return;
  await rehearse(site, options, facts, database, running.transaction.backup ?? '');
  await note(site, running, { rehearsed: true });
}

/** @returns the backup's id */
export async function backUp(site: KubernetesRelease, { from, record }: ClusterFacts, database: LiveDatabase): Promise<string> {
  const releases = { release: from, schemaRelease: record?.schemaRelease ?? from };
  const { id } = await asStep(site.host.listener, 'backup', async (progress) => {
    const made = await makeClusterBackup(site, database, releases, progress);
    return { id: made.id, summary: `${made.id}, ${bytesText(made.bytes)}, read back in ${durationText(made.seconds * 1000)}` };
  });
  return id;
}

export async function rehearse(
  site: KubernetesRelease,
  { bundle }: Pick<UpgradeOptions, 'bundle'>,
  { pathClass, target }: ClusterFacts,
  database: LiveDatabase,
  backup: string,
): Promise<void> {
  const migration = pathClass === 'none' ? undefined : target.migration;
  await asStep(site.host.listener, 'rehearse', async () => ({
    summary: await proveAndRehearse(site, backup, { manifest: bundle.manifest, database, migration }),
  }));
}

/** Stops the writers, migrates a copy of the database, swaps the copy in, and tries the new code on it. */
export async function changeDatabase(
  site: KubernetesRelease,
  options: UpgradeOptions,
  facts: ClusterFacts,
  database: LiveDatabase,
  running: Running,
): Promise<void> {
  const { listener } = site.host;
  const { manifest } = options.bundle;
  const { target, running: serving } = facts;
  const { migration } = target;
  if (!migration)
    throw new AirdockError('CHART_UNLABELLED', 'the chart has no migration Job', {
      hint: 'Ask the vendor for a chart that has one.',
    });
  // the writers of the running release and of the new one
  const writers = { writers: [...new Set([...manifest.writers, ...(facts.record?.shape?.writers ?? [])])] };
  await asStep(listener, 'quiesce', async () => {
    await quiesce(site, running, database, writersOf(writers, serving));
    return { summary: `${manifest.writers.join(', ')} stopped` };
  });
  await asStep(listener, 'copy', async () => {
    await copy(database, running);
    return { summary: nextName(running.transaction.id) };
  });
  const { env, secret } = environmentFor(database, manifest, nextName(running.transaction.id));
  await asStep(listener, 'migrate', async () => {
    const started = performance.now();
    const { exitCode, output } = await runMigration(site, migration, {
      name: `airdock-${site.release}-${running.transaction.id}-migrate`.slice(0, 63),
      labels: { 'airdock.dev/transaction': `${site.release}-${running.transaction.id}`, ...insideLabels(site) },
      env: { ...env, PGAPPNAME: `airdock-${running.transaction.id}` },
      secret,
      timeoutMs: options.timeoutSeconds * 1000,
    });
    if (exitCode !== 0) throw migrationFailed({ version: manifest.version, output, exitCode, on: 'copy' });
    return { summary: durationText(performance.now() - started) };
  });
  await asStep(listener, 'swap', async () => {
    const aside = asideName(database.database, facts.from ?? '0', running.transaction.id);
    await swapIn(site, running, database, nextName(running.transaction.id), aside);
    await open(database, running);
    return { summary: `${aside} is kept` };
  });
  await asStep(listener, 'trial', async () => ({
    summary: await trial(site, manifest, writersOf(manifest, target), options.timeoutSeconds * 1000),
  }));
}

/** Runs `helm upgrade`. For a hook that failed, helm's error gives no reason, so the hook's log is added. */
export async function upgradeByHelm(
  site: KubernetesRelease,
  { chart, values, set, timeoutSeconds, forceConflicts, bundle }: UpgradeOptions,
  { target }: ClusterFacts,
): Promise<void> {
  try {
    const { release, helm } = site;
    await helm.upgrade({ release, chart, values, set, timeoutSeconds, forceConflicts, signal: site.host.signal });
  } catch (error) {
    // helm's own error, when the pods cannot be read
    throw await explained(site, target, bundle.manifest.version, error).catch(() => error);
  }
}

/** helm's error with the reasons that the pods give: helm reports only that it waited. The undo (`bringBack`) ends a hook that is still at work. */
async function explained(
  site: KubernetesRelease,
  target: ClusterFacts['target'],
  version: string,
  error: unknown,
): Promise<unknown> {
  const { migration, workloads } = target;
  const selectors = isHookFailure(error)
    ? [{ 'job-name': migration?.metadata.name ?? '' }]
    : isAirdockError(error, 'UP_FAILED')
      ? workloads.map(({ selector }) => selector)
      : [];
  const log = migration && isHookFailure(error) ? await hookLog(site, migration) : '';
  const reasons = (await whyNotReady(site.kubectl, selectors)).join('\n');
  const atWork = isHookFailure(error) && (await hookAtWork(site, migration));
  if (isAirdockError(error, 'UP_FAILED') && reasons !== '')
    return new AirdockError('UP_FAILED', `${error.message}\n${reasons}`, { hint: error.hint ?? '', cause: error });
  if (!isHookFailure(error) || log + reasons === '') return error;
  const more = atWork
    ? 'The migration did not end in time (--timeout), and was ended.'
    : `The whole log: kubectl ${kubectlFlags(site)} logs job/${migration?.metadata.name}`;
  return migrationFailed({ version, output: log || reasons, on: 'live', more, details: { rolled: podsWereReplaced(error) } });
}

/** Whether it was a post-* hook that failed: it runs after the new pods. */
export function podsWereReplaced(error: unknown): boolean {
  return isAirdockError(error) && error.details?.['rolled'] === true;
}

export function isHookFailure(error: unknown): boolean {
  return isAirdockError(error, 'MIGRATION_FAILED');
}
