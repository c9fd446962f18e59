import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { AirdockError, errorText, isAirdockError } from '../../errors.ts';
import { openTransaction, type ClusterRecord, type ClusterTransaction } from './record.ts';
import { flagsOf, kubectlFlags, now, type KubernetesRelease } from './site.ts';

/** A transaction that is under way. It begins with a write of the record that only one airdock can make, and ends with another write. */
export type Running = {
  record: ClusterRecord;
  transaction: ClusterTransaction;
  /** Somebody's `resume` took the transaction over: this process must not touch it any more. */
  takenOver?: true;
};

type Begin = Pick<ClusterTransaction, 'kind' | 'from' | 'to' | 'class'> & {
  before: number | null;
  last: number | null;
  undo?: ClusterTransaction['undo'];
};

/** @throws LOCKED when a transaction is open, or another airdock began one meanwhile */
export async function begin(
  site: KubernetesRelease,
  record: ClusterRecord,
  { before, last, undo = null, ...head }: Begin,
): Promise<Running> {
  refuseOpen(site, record);
  const transaction: ClusterTransaction = {
    id: (record.transactions.at(-1)?.id ?? 0) + 1,
    ...head,
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
    `transaction ${open.id} (${open.kind} ${open.to}) by ${open.operator} has been under way since ${open.startedAt}`,
    {
      hint: `Wait until it ends. If it was killed, run: airdock helm resume ${flagsOf(site)}`,
    },
  );
}

/**
 * Writes a change of the transaction to the record, and keeps it in `running`, from which an undo reads.
 * @param more changes of the record in the same write
 * @throws LOCKED when somebody else took the transaction over
 */
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
    throw new AirdockError('LOCKED', `somebody else took transaction ${transaction.id} over with airdock helm resume`, {
      hint: `Leave it to them. This shows who it is: airdock helm status ${flagsOf(site)}`,
      cause: error,
    });
  }
  Object.assign(running, { record, transaction });
}

/**
 * Whether nobody took the transaction over. The answer to a write may be lost though the write arrived: then the record has the transaction
 * as it was before the write, or as written. An airdock that takes a transaction over puts its own name into it.
 */
async function stillOurs(site: KubernetesRelease, running: Running, next: ClusterRecord): Promise<boolean> {
  const recorded = (await site.records.read())?.transactions.at(-1);
  if (isDeepStrictEqual(recorded, next.transactions.at(-1))) return true;
  if (!isDeepStrictEqual(recorded, running.record.transactions.at(-1))) return false;
  return site.records.write(next).then(
    () => true,
    (error: unknown) => {
      if (isAirdockError(error, 'LOCKED')) return false;
      throw error;
    },
  );
}

/** Tries again while the cluster does not answer, or while the database's pod moves to another node. */
async function patiently<T>({ host: { listener, patience } }: KubernetesRelease, work: () => Promise<T>): Promise<T> {
  for (const until = performance.now() + patience.forMs; ; await sleep(patience.everyMs)) {
    try {
      return await work();
    } catch (error) {
      const unreachable = isAirdockError(error, 'CLUSTER_UNREACHABLE') || isAirdockError(error, 'DATABASE_UNREACHABLE');
      if (!unreachable || performance.now() > until) throw error;
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

/**
 * Undoes and ends a transaction that failed. @throws the error that it failed with, once it is undone
 * @throws UNDO_FAILED; the transaction then stays open
 */
export async function failed(
  site: KubernetesRelease,
  running: Running,
  error: unknown,
  undo: () => Promise<{ outcome: 'undone' | 'rolled-back'; summary: string }>,
): Promise<never> {
  if (running.takenOver) throw error;
  const message = errorText(error);
  let undone: Awaited<ReturnType<typeof undo>>;
  try {
    undone = await patiently(site, undo);
  } catch (cause) {
    throw new AirdockError('UNDO_FAILED', `${message}\nand the previous state could not be brought back: ${errorText(cause)}`, {
      hint: `Find the cause (kubectl ${kubectlFlags(site)} get pods), remove it, and run this: airdock helm resume ${flagsOf(site)}`,
      cause,
    });
  }
  await end(site, running, undone.outcome, { error: message.slice(0, 2000) });
  site.host.listener({ type: 'note', text: undone.summary });
  // exit codes 3, 5 and 8 mean that nothing was done, and something was
  if (undone.outcome === 'rolled-back' && isAirdockError(error) && [3, 5, 8].includes(error.exitCode))
    throw new AirdockError('STEP_FAILED', message, { hint: error.hint ?? '', cause: error });
  throw error;
}
