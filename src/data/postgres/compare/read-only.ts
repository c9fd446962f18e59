import type { Writable } from 'node:stream';
import type { PostgresServer } from '../swap/admin.ts';
import { endSessions, runTool } from '../server/server.ts';
import { sessionSettings } from '../server/session.ts';

/**
 * Runs statements in one snapshot, without blocking others. Equal values give equal text, whatever the database or the role sets.
 * @returns the output, unless it goes to `sink`
 * @throws STEP_FAILED, INTERRUPTED; the session has ended then
 */
export async function readOnly(target: PostgresServer, statements: readonly string[], sink?: Writable): Promise<string> {
  const command = ['psql', '-XAtqw', '-v', 'ON_ERROR_STOP=1', '-U', target.user, '-d', target.database, '-f', '-'];
  try {
    const { stdout } = await runTool(target, 'STEP_FAILED', command, {
      input: Buffer.from([...session, ...statements, 'COMMIT;'].join('\n')),
      env: { PGAPPNAME: target.applicationName },
      stdout: sink,
      signal: target.signal,
    });
    return stdout;
  } catch (error) {
    // The process in the container keeps running (docs/FACTS.md "A killed exec").
    await endSessions(target, target.applicationName).catch(() => 0);
    throw error;
  }
}

const session = [
  sessionSettings,
  // while this session waits for a lock, the statements of others wait for this session
  `SET lock_timeout = '10s';`,
  // parallel workers need shared memory, and a container has only 64 MB
  'SET max_parallel_workers_per_gather = 0;',
];
