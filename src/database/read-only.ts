import type { Writable } from 'node:stream';
import type { Cluster } from './admin.ts';
import { endSessions, tool } from './server.ts';

/**
 * Statements in one snapshot, which block nobody. Equal values give equal text, whatever the database or the role sets.
 * @returns what they print, unless `sink` takes it
 * @throws STEP_FAILED, INTERRUPTED: no session goes on then
 */
export async function readOnly(target: Cluster, statements: readonly string[], sink?: Writable): Promise<string> {
  const command = ['psql', '-XAtqw', '-v', 'ON_ERROR_STOP=1', '-U', target.user, '-d', target.database, '-f', '-'];
  try {
    const { stdout } = await tool(target, 'STEP_FAILED', command, {
      input: Buffer.from([...session, ...statements, 'COMMIT;'].join('\n')),
      env: { PGAPPNAME: target.applicationName, PGCLIENTENCODING: 'UTF8', PGOPTIONS: limits },
      ...(sink ? { stdout: sink } : {}),
      ...(target.signal ? { signal: target.signal } : {}),
    });
    return stdout;
  } catch (error) {
    // The tool in the container goes on without us (FACTS section 2).
    await endSessions(target, target.applicationName).catch(() => 0);
    throw error;
  }
}

/** From the first moment on. Behind an ALTER that waits, others would wait behind us; what limits the application is not for us. */
const limits = '-c lock_timeout=10s -c statement_timeout=0 -c idle_in_transaction_session_timeout=0';

const session = [
  'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;',
  // types and names with their schema
  `SET search_path = '';`,
  `SET DateStyle = ISO; SET TimeZone = 'UTC'; SET IntervalStyle = postgres; SET extra_float_digits = 3; SET bytea_output = hex;`,
  // rather fail than see a part
  'SET row_security = off;',
  // workers take shared memory, of which a container has 64 MB
  'SET max_parallel_workers_per_gather = 0;',
];
