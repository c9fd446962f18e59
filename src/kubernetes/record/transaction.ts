import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { AirdockError, errorText, isAirdockError } from '../../errors.ts';
import { openTransaction, type ClusterRecord, type ClusterTransaction } from './record.ts';
import { flagsOf, kubectlFlags, now, type KubernetesRelease } from './site.ts';

/** A transaction in the record of the cluster: begun by a write that only one can make, ended by another. */
export type Running = {
  record: ClusterRecord;
  transaction: ClusterTransaction;
  /** By somebody's `resume`: nothing of it is this process's any more. */
  takenOver?: true;
};

type Begin = Pick<ClusterTransaction, 'kind' | 'from' | 'to' | 'class'> & {
  before: number | null;
  last: number | null;
  undo?: ClusterTransaction['undo'];
};

/** @throws LOCKED when one is open, or another one began meanwhile */
export async function begin(
  site: KubernetesRelease,
  record: ClusterRecord,
  { before, last, undo = null, ...what }: Begin,
): Promise<Running> {
  refuseOpen(site, record);
  const transaction: ClusterTransaction = {
    id: (record.transactions.at(-1)?.id ?? 0) + 1,
    ...what,
    revisions: { before, last, after: null },
    operator: site.host.operator,
    pid: process.pid,
    startedAt: now(site),
    endedAt: null,
    outcome: null,
    error: null,
    backup: null,
    rehearsed: false,
    undo,
  };
  const next = { ...record, transactions: [...record.transactions, transaction] };
  await site.records.write(next);
  return { record: next, transaction };
}

export function refuseOpen(site: KubernetesRelease, record: ClusterRecord): void {
  const open = openTransaction(record);
  if (!open) return;
  throw new AirdockError(
    'LOCKED',
    `transaction ${open.id} (${open.kind} ${open.to}) is under way since ${open.startedAt}, by ${open.operator}`,
    {
      hint: `Wait for it. Was it killed, this puts it right: airdock helm resume ${flagsOf(site)}`,
    },
  );
}

/** Writes what is known now, and keeps it in `running`, which whoever undoes it looks at. The change of the record goes with it. */
export async function note(
  site: KubernetesRelease,
  running: Running,
  change: Partial<ClusterTransaction>,
  more: Partial<ClusterRecord> = {},
): Promise<void> {
  const transaction = { ...running.transaction, ...change };
  const transactions = running.record.transactions.map((one) => (one.id === transaction.id ? transaction : one));
  const record = { ...running.record, ...more, transactions };
  try {
    await site.records.write(record);
  } catch (error) {
    if (!isAirdockError(error, 'LOCKED')) throw error;
    if (await stillOurs(site, running, record)) return void Object.assign(running, { record, transaction });
    running.takenOver = true;
    throw new AirdockError('LOCKED', `somebody else took transaction ${transaction.id} over: airdock helm resume`, {
      hint: `Leave it to them: airdock helm status ${flagsOf(site)}`,
      cause: error,
    });
  }
  Object.assign(running, { record, transaction });
}

/** The answer to a write may be lost, and the write not: the transaction is as it was, or as it was to be. Whoever takes it over signs it. */
async function stillOurs(site: KubernetesRelease, running: Running, next: ClusterRecord): Promise<boolean> {
  const there = (await site.records.read())?.transactions.at(-1);
  if (isDeepStrictEqual(there, next.transactions.at(-1))) return true;
  if (!isDeepStrictEqual(there, running.record.transactions.at(-1))) return false;
  return site.records.write(next).then(
    () => true,
    (error: unknown) => {
      if (isAirdockError(error, 'LOCKED')) return false;
      throw error;
    },
  );
}

/** The cluster may be away for a while, and a pod on its way to another node. */
async function patiently<T>({ host: { listener, patience } }: KubernetesRelease, work: () => Promise<T>): Promise<T> {
  for (const until = performance.now() + patience.forMs; ; await sleep(patience.everyMs)) {
    try {
      return await work();
    } catch (error) {
      const away = isAirdockError(error, 'CLUSTER_UNREACHABLE') || isAirdockError(error, 'DATABASE_UNREACHABLE');
      if (!away || performance.now() > until) throw error;
      listener({ type: 'warning', text: `${error.message}; trying again` });
    }
  }
}

export async function end(
  site: KubernetesRelease,
  running: Running,
  outcome: NonNullable<ClusterTransaction['outcome']>,
  change: Partial<ClusterTransaction> = {},
  more: Partial<ClusterRecord> = {},
): Promise<void> {
  await patiently(site, () => note(site, running, { outcome, endedAt: now(site), undo: null, ...change }, more));
}

/** What serves afterwards. @throws UNDO_FAILED; the transaction then stays open */
export async function failed(
  site: KubernetesRelease,
  running: Running,
  error: unknown,
  undo: () => Promise<{ outcome: 'undone' | 'rolled-back'; summary: string }>,
): Promise<never> {
  if (running.takenOver) throw error;
  const said = errorText(error);
  let undone: Awaited<ReturnType<typeof undo>>;
  try {
    undone = await patiently(site, undo);
  } catch (cause) {
    const why = errorText(cause);
    throw new AirdockError('UNDO_FAILED', `${said}\nand the previous state could not be brought back: ${why}`, {
      hint: `Look at what stands in the way (kubectl ${kubectlFlags(site)} get pods), put it right, then run: airdock helm resume ${flagsOf(site)}`,
      cause,
    });
  }
  await end(site, running, undone.outcome, { error: said.slice(0, 2000) });
  site.host.listener({ type: 'note', text: undone.summary });
  // exit codes of what is found before anything is done
  if (undone.outcome === 'rolled-back' && isAirdockError(error) && [3, 5, 8].includes(error.exitCode))
    throw new AirdockError('STEP_FAILED', said, { hint: error.hint ?? '', cause: error });
  throw error;
}
