import { PassThrough } from 'node:stream';
import { AirdockError, isAirdockError } from '../../../errors.ts';
import { JsonLines } from './json-lines.ts';
import { type DatabaseTarget, endSessions, psql } from './server.ts';
import { own, sessionSettings } from './session.ts';

export type SessionOptions = {
  /** Name of the session on the server: recovery ends what a killed airdock left running. */
  applicationName: string;
  signal?: AbortSignal | undefined;
};

/**
 * One snapshot for several tools: a session exports it (`pg_export_snapshot`), keeps it until `work` is done with its id, and
 * holds every table against TRUNCATE and DROP meanwhile (ACCESS SHARE, as pg_dump does): a table that is truncated and
 * committed in between looks empty to the older snapshot. Sequences are part of no snapshot.
 *
 * `work` gets a signal that is also aborted when the session dies. The session is ended whatever happens; after a failure
 * every session of that name is, since what ran in the container goes on without us.
 * @throws AirdockError BACKUP_FAILED when there is no such session, or it died; INTERRUPTED; what `work` throws
 */
export async function withSnapshot<T>(
  target: DatabaseTarget,
  options: SessionOptions,
  work: (snapshot: string, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const asked = options.signal ? [options.signal] : [];
  const died = new AbortController();
  const stop = new AbortController();
  const opened = Promise.withResolvers<string>();
  const input = new PassThrough();
  let finishing = false;
  const session = psql(target, 'BACKUP_FAILED', {
    input,
    stdout: new JsonLines((id) => opened.resolve(String(id))),
    env: { PGAPPNAME: options.applicationName },
    signal: AbortSignal.any([...asked, stop.signal]),
  }).then(
    () => (finishing ? undefined : died.abort(lost('it ended too early'))),
    (error: unknown) => died.abort(isAirdockError(error, 'BACKUP_FAILED') ? lost(error.message, error) : error),
  );
  died.signal.addEventListener('abort', () => opened.reject(died.signal.reason));
  input.write(opening);
  try {
    const result = await work(await opened.promise, AbortSignal.any([...asked, died.signal]));
    finishing = true;
    // psql does not notice the end of its session before the next statement.
    input.end('COMMIT;\n');
    await session;
    died.signal.throwIfAborted();
    return result;
  } catch (error) {
    const reason: unknown = died.signal.aborted && !options.signal?.aborted ? died.signal.reason : error;
    stop.abort();
    await session;
    await endSessions(target, options.applicationName).catch(() => 0);
    throw reason;
  }
}

const opening = String.raw`${sessionSettings}
SELECT pg_export_snapshot() AS snapshot \gset
SELECT 'LOCK TABLE ' || string_agg('ONLY ' || c.oid::regclass, ', ') || ' IN ACCESS SHARE MODE'
FROM pg_class c WHERE c.relkind IN ('r', 'p') AND ${own('pg_class', 'c', 'relnamespace')} HAVING count(*) > 0
\gexec
SELECT to_json(:'snapshot'::text);
`;

function lost(why: string, cause?: unknown): AirdockError {
  return new AirdockError('BACKUP_FAILED', `the session that holds the snapshot was lost: ${why}`, {
    hint: 'Something ended the session, or the server: see the log of the database service, and try again.',
    cause,
  });
}
