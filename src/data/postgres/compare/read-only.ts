import type { Writable } from 'node:stream';
import type { PostgresServer } from '../swap/admin.ts';
import { endSessions, tool } from '../server/server.ts';
import { sessionSettings } from '../server/session.ts';

/**
 * Statements in one snapshot, which block nobody. Equal values give equal text, whatever the database or the role sets.
 * @returns what they print, unless `sink` takes it
 * @throws STEP_FAILED, INTERRUPTED: no session goes on then
 */
export async function readOnly(target: PostgresServer, statements: readonly string[], sink?: Writable): Promise<string> {
  const command = ['psql', '-XAtqw', '-v', 'ON_ERROR_STOP=1', '-U', target.user, '-d', target.database, '-f', '-'];
  try {
    const { stdout } = await tool(target, 'STEP_FAILED', command, {
      input: Buffer.from([...session, ...statements, 'COMMIT;'].join('\n')),
      env: { PGAPPNAME: target.applicationName },
      stdout: sink,
      signal: target.signal,
    });
    return stdout;
  } catch (error) {
    // The tool in the container goes on without us (docs/FACTS.md "A killed exec").
    await endSessions(target, target.applicationName).catch(() => 0);
    throw error;
  }
}

const session = [
  sessionSettings,
  // behind an ALTER that waits, others would wait behind us
  `SET lock_timeout = '10s';`,
  // workers take shared memory, of which a container has 64 MB
  'SET max_parallel_workers_per_gather = 0;',
];
