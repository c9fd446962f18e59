import { DatabaseSync } from 'node:sqlite';
import path from 'node:path';
import { AirdockError } from '../../errors.ts';

/**
 * The lock of a deployment: `BEGIN EXCLUSIVE` on `.airdock/lock.db`, held by the open connection. SQLite takes it as a POSIX
 * lock, which the kernel frees with its process (docs/FACTS.md "Locks between processes").
 */
export type Lock = { release(): void };

/** @throws AirdockError LOCKED when another process holds it */
export function takeLock(airdockDirectory: string): Lock {
  const database = new DatabaseSync(path.join(airdockDirectory, 'lock.db'), { timeout: 0 });
  try {
    database.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    if (!/locked|busy/i.test(String(error))) throw error;
    throw new AirdockError('LOCKED', `another airdock is changing ${path.dirname(airdockDirectory)}`, {
      hint: 'Wait until it has ended; `airdock status` shows what it does. The lock frees itself when its process ends.',
    });
  }
  return {
    release() {
      database.exec('ROLLBACK');
      database.close();
    },
  };
}
