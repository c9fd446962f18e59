import { setTimeout as sleep } from 'node:timers/promises';
import {
  copyDatabase,
  databases,
  dropDatabase,
  fence,
  databaseNamed,
  swapDatabases,
  unfence,
  type PostgresServer,
} from '../../data/postgres/swap/admin.ts';
import type { DatabaseTarget } from '../../data/postgres/server/server.ts';
import { planSwap, swapBack } from '../../data/postgres/swap/swap.ts';
import { nextName } from '../../data/postgres/swap/swap-names.ts';
import { AirdockError } from '../../errors.ts';
import { isReady, podsOf, waitGone } from '../pods/pods.ts';
import type { ClusterRecord, ClusterTransaction } from '../record/record.ts';
import { now, type KubernetesRelease } from '../record/site.ts';
import { note, type Running } from '../record/transaction.ts';
import type { ChartObjects, Workload } from '../pods/workloads.ts';

/**
 * The parts of an irreversible upgrade that concern the database (docs/adr/0008-irreversible.md), in a cluster: writers stop, the database
 * is copied, two databases are swapped by OID, and swapped back.
 */
type Undo = NonNullable<ClusterTransaction['undo']>;

export function postgresServerOf(target: DatabaseTarget, { transaction }: Running): PostgresServer {
  const { tools, service, user, database } = target;
  return { tools, service, user, database, applicationName: `airdock-${transaction.id}` };
}

const key = ({ kind, name }: Workload): string => `${kind.toLowerCase()}/${name}`;
const goneMs = 120_000;

/** Stops the writers and fences the database. What an undo needs is on record before anything is done. */
export async function quiesce(
  site: KubernetesRelease,
  running: Running,
  target: DatabaseTarget,
  writers: readonly Workload[],
): Promise<void> {
  const replicas: Record<string, number> = {};
  const stopped = leftStopped(running.record);
  for (const workload of writers) {
    const live = await site.kubectl.get<{ kind: string; metadata: { name: string }; spec: { replicas?: number } }>(
      workload.kind.toLowerCase(),
      workload.name,
    );
    const count = live?.spec.replicas ?? 1;
    replicas[key(workload)] = count > 0 ? count : (stopped[key(workload)] ?? 0);
  }
  const cluster = postgresServerOf(target, running);
  const live = databaseNamed(await databases(cluster), target.database);
  await note(site, running, { undo: { replicas, live, next: null, aside: null } });
  await stopWriters(site, writers);
  await fence(cluster, live.name);
}

/** Scales writers to 0 and waits until their pods, and so their connections, are gone. */
export async function stopWriters(site: KubernetesRelease, writers: readonly Workload[]): Promise<void> {
  for (const { kind, name } of writers) await site.kubectl.scale(kind.toLowerCase(), name, 0);
  await waitGone(site.kubectl, writers, goneMs);
}

/** The workloads that a transaction stopped. */
export function stoppedBy({ replicas }: Undo, { workloads }: ChartObjects): Workload[] {
  return workloads.filter((one) => key(one) in replicas);
}

/**
 * The replicas that writers had before an upgrade that ended with 7 left them at 0; empty when there is no such upgrade, or when a later
 * transaction went well.
 */
export function leftStopped({ transactions }: Pick<ClusterRecord, 'transactions'>): Undo['replicas'] {
  return transactions.findLast(({ outcome, undo }) => outcome === 'done' || undo !== null)?.undo?.replicas ?? {};
}

/** Gives workloads the replicas that they had before. */
export async function scaleBack(site: KubernetesRelease, { replicas }: Undo): Promise<void> {
  for (const [workload, count] of Object.entries(replicas)) {
    const [kind = '', name = ''] = workload.split('/');
    if (await site.kubectl.get(kind, name)) await site.kubectl.scale(kind, name, count);
  }
}

/** Gives workloads the replicas that they had before, and waits until as many pods are ready. */
export async function bringUp(
  site: KubernetesRelease,
  workloads: readonly Workload[],
  undo: Undo,
  timeoutMs: number,
): Promise<void> {
  await scaleBack(site, undo);
  await waitScaled(site, workloads, undo, timeoutMs);
}

async function waitScaled(
  site: KubernetesRelease,
  workloads: readonly Workload[],
  { replicas }: Undo,
  timeoutMs: number,
): Promise<void> {
  const stopped = workloads.filter((one) => (replicas[key(one)] ?? 0) > 0);
  for (const endAt = performance.now() + timeoutMs; ; await sleep(500)) {
    const counts = await Promise.all(stopped.map(async (one) => (await podsOf(site.kubectl, one)).filter(isReady).length));
    if (stopped.every((one, index) => (counts[index] ?? 0) >= (replicas[key(one)] ?? 0))) return;
    if (performance.now() > endAt)
      throw new AirdockError('UP_FAILED', `pods did not become ready again: ${stopped.map(key).join(', ')}`, {
        hint: 'kubectl describe pod shows why.',
      });
  }
}

export async function copy(target: DatabaseTarget, running: Running): Promise<void> {
  await copyDatabase(postgresServerOf(target, running), target.database, nextName(running.transaction.id));
}

/** Swaps another database in. It stays fenced until `open`. */
export async function swapIn(
  site: KubernetesRelease,
  running: Running,
  target: DatabaseTarget,
  nextDatabase: string,
  aside: string,
): Promise<void> {
  const cluster = postgresServerOf(target, running);
  const undo = undoOf(running);
  const swap = await planSwap(cluster, { began: undo.live, next: nextDatabase, aside });
  await note(site, running, { undo: { ...undo, ...swap } });
  await swapDatabases(cluster, swap);
}

/** Opens the database that was swapped in, if it has the live name. */
export async function open(target: DatabaseTarget, running: Running): Promise<void> {
  const { next } = undoOf(running);
  if (next) await unfence(postgresServerOf(target, running), { name: target.database, oid: next.oid });
}

/** Makes the database that was live before live again, and opens it. The one that took its place is dropped unless `keep`. @throws UNDO_FAILED */
export async function bringDatabaseBack(target: DatabaseTarget, running: Running, keep: boolean): Promise<void> {
  const { live, next, aside } = undoOf(running);
  if (!live) return;
  const cluster = postgresServerOf(target, running);
  await swapBack(cluster, live, next && aside !== null ? { next, aside } : undefined);
  await unfence(cluster, { name: target.database, oid: live.oid });
  if (!keep) await dropDatabase(cluster, nextName(running.transaction.id));
}

/** The entry of the record for the database that was put aside; empty when nothing was swapped. `release`: the release that wrote to it. */
export function keptBy(
  site: KubernetesRelease,
  { record, transaction: { undo } }: Running,
  release: string,
): ClusterRecord['kept'] {
  if (!undo?.aside || !undo.live) return [];
  const { name, oid } = { name: undo.aside, oid: undo.live.oid };
  return [{ name, oid, release, schemaRelease: record.schemaRelease ?? release, keptAt: now(site) }];
}

function undoOf({ transaction }: Running): Undo {
  return transaction.undo ?? { replicas: {}, live: null, next: null, aside: null };
}
