import type { SQLInputValue } from 'node:sqlite';
import { AirdockError } from '../../errors.ts';
import type { State } from './state.ts';

/** The record of transactions and their steps in `state.db` (docs/adr/0001-transaction.md, "Steps"). */

export type TransactionKind = 'install' | 'upgrade' | 'rollback' | 'adopt';
type Direction = 'forward' | 'undo';
export type Outcome = 'done' | 'undone' | 'rolled-back';
type StepState = 'intent' | 'done' | 'failed' | 'undone';

export type TransactionRecord = {
  id: number;
  kind: TransactionKind;
  from: string | null;
  to: string;
  class: string;
  startedAt: string;
  endedAt: string | null;
  direction: Direction;
  outcome: Outcome | null;
  backup: string | null;
  operator: string;
  error: string | null;
  /** The version of the airdock that began it; null in records of an older form. */
  program: string | null;
  /** The migration was rehearsed on a copy of the database, which also proved the backup. */
  rehearsed: boolean;
};

type StepRecord = { step: string; state: StepState; detail: Record<string, unknown>; at: string };

export type Journal = {
  begin(value: Pick<TransactionRecord, 'kind' | 'from' | 'to' | 'class' | 'operator' | 'program'>): TransactionRecord;
  /** The transaction without an outcome. There is at most one, because transactions begin under the lock. */
  open(): TransactionRecord | undefined;
  all(): TransactionRecord[];
  record(id: number, step: string, state: StepState, detail?: Record<string, unknown>): void;
  steps(id: number): StepRecord[];
  has(id: number, step: string, state: StepState): boolean;
  turnToUndo(id: number, error: string): void;
  setBackup(id: number, backup: string): void;
  setRehearsed(id: number): void;
  end(id: number, outcome: Outcome, error?: string): void;
};

export function openJournal(state: State, clock: () => Date): Journal {
  const run = (statement: string, ...values: SQLInputValue[]) => state.sql.prepare(statement).run(...values);
  const all = (statement: string, ...values: SQLInputValue[]) => state.sql.prepare(statement).all(...values);
  const now = () => clock().toISOString();
  // A command that only reads does not migrate records of an older form.
  const columns = new Set(all('PRAGMA table_info(transactions)').map(({ name }) => name));
  const later = (name: string, before: string) => (columns.has(name) ? name : `${before} AS ${name}`);
  const select = `SELECT id, kind, from_release AS "from", to_release AS "to", class, started_at AS startedAt,
    ended_at AS endedAt, direction, outcome, backup, operator, error, ${later('program', 'NULL')}, ${later('rehearsed', '0')} FROM transactions`;
  const records = (where: string) =>
    all(`${select} ${where}`).map((row) => ({ ...row, rehearsed: row['rehearsed'] === 1 }) as TransactionRecord);

  return {
    begin(value) {
      if (this.open()) throw new AirdockError('INTERNAL', 'a transaction is open already');
      run(
        'INSERT INTO transactions (kind, from_release, to_release, class, started_at, operator, program) VALUES (?, ?, ?, ?, ?, ?, ?)',
        value.kind,
        value.from,
        value.to,
        value.class,
        now(),
        value.operator,
        value.program,
      );
      return this.open()!;
    },
    open: () => records('WHERE outcome IS NULL')[0],
    all: () => records('ORDER BY id'),
    record(id, step, stepState, detail = {}) {
      run(
        `INSERT INTO steps (transaction_id, sequence, step, state, detail, at)
         VALUES (?, (SELECT coalesce(max(sequence), 0) + 1 FROM steps WHERE transaction_id = ?), ?, ?, ?, ?)`,
        id,
        id,
        step,
        stepState,
        JSON.stringify(detail),
        now(),
      );
    },
    steps: (id) =>
      all('SELECT step, state, detail, at FROM steps WHERE transaction_id = ? ORDER BY sequence', id).map(
        (row) => ({ ...row, detail: JSON.parse(String(row['detail'])) }) as StepRecord,
      ),
    has: (id, step, stepState) =>
      all('SELECT 1 FROM steps WHERE transaction_id = ? AND step = ? AND state = ?', id, step, stepState).length > 0,
    turnToUndo: (id, error) =>
      void run(`UPDATE transactions SET direction = 'undo', error = coalesce(error, ?) WHERE id = ?`, error, id),
    setBackup: (id, backup) => void run('UPDATE transactions SET backup = ? WHERE id = ?', backup, id),
    setRehearsed: (id) => void run('UPDATE transactions SET rehearsed = 1 WHERE id = ?', id),
    end: (id, outcome, error) =>
      void run(
        'UPDATE transactions SET outcome = ?, ended_at = ?, error = coalesce(error, ?) WHERE id = ?',
        outcome,
        now(),
        error ?? null,
        id,
      ),
  };
}
