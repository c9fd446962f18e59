import { PassThrough } from 'node:stream';
import { AirdockError, isAirdockError } from '../../../errors.ts';
import { JsonLines } from './json-lines.ts';
import { type DatabaseTarget, endSessions, psql } from './server.ts';
import { isUserObject, sessionSettings } from './session.ts';

export type SessionOptions = {
  /** application_name of the session, by which recovery ends it after airdock was killed. */
  applicationName: string;
  signal?: AbortSignal | undefined;
};

/**
 * Lets several tools use one snapshot. A session exports the snapshot (`pg_export_snapshot`) and keeps it until `work` is done.
 * The session also locks every table against TRUNCATE and DROP (ACCESS SHARE, as pg_dump does), because a table that somebody
 * truncates in between would look empty in the older snapshot. A snapshot does not cover sequences.
 *
 * `work` gets the snapshot's id, and a signal that is also aborted when the session dies. The session is always ended. After a
 * failure all sessions with its application_name are ended, because processes in the container outlive their `compose exec`.
 * @throws AirdockError BACKUP_FAILED when the session cannot be opened or is lost; INTERRUPTED; what `work` throws
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
FROM pg_class c WHERE c.relkind IN ('r', 'p') AND ${isUserObject('pg_class', 'c', 'relnamespace')} HAVING count(*) > 0
\gexec
SELECT to_json(:'snapshot'::text);
`;

function lost(why: string, cause?: unknown): AirdockError {
  return new AirdockError('BACKUP_FAILED', `the session that holds the snapshot was lost: ${why}`, {
    hint: 'The session or the server was ended: look at the log of the database service, and try again.',
    cause,
  });
}
