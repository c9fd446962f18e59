import { AirdockError, type ErrorCode } from '../../../errors.ts';
import type { Compose, ExecOptions } from '../../../io/compose.ts';
import type { RunResult } from '../../../io/process.ts';

/**
 * A database, reached by the tools of the image of its service: they have the server's version. They run in the service's own
 * container, or, where the database is outside of the deployment, in containers of their own.
 */
export type DatabaseTarget = { tools: Tools; service: string; user: string; database: string };
export type Tools = Pick<Compose, 'exec'>;

/** PGOPTIONS, from the first statement on: what the role or the database limits is meant for the application. */
export const unlimited = '-c statement_timeout=0 -c idle_in_transaction_session_timeout=0';

/** A tool of the database's image, to its end; the exit code is the result. */
export function runTool(target: DatabaseTarget, command: readonly string[], options: ExecOptions = {}): Promise<RunResult> {
  return target.tools.exec(target.service, command, { ...options, env: { PGOPTIONS: unlimited, ...options.env } });
}

/** What a tool of the database's image said. @throws AirdockError with `code`, in the tool's own words */
export async function tool(
  target: DatabaseTarget,
  code: ErrorCode,
  command: readonly string[],
  options: ExecOptions = {},
): Promise<RunResult> {
  const result = await runTool(target, command, options);
  if (result.exitCode === 0) return result;
  const how = result.stderr.trim() || (result.timedOut ? 'it took too long' : `exit code ${result.exitCode}`);
  throw new AirdockError(code, `${command[0]} in ${target.service} failed: ${how.slice(-1500)}`);
}

/** Rows of a query, as unaligned text, one a line. Variables are given by `:'name'` (psql(1), "Variables"). */
export async function ask(
  target: DatabaseTarget,
  sql: string,
  variables: Record<string, string> = {},
  code: ErrorCode = 'DATABASE_UNREACHABLE',
): Promise<string[]> {
  const { stdout } = await psql(target, code, { input: Buffer.from(sql) }, variables);
  return stdout.split('\n').filter((line) => line !== '');
}

/** psql with the SQL from `input`, to its end: the first error ends it. @throws AirdockError with `code` */
export function psql(
  target: DatabaseTarget,
  code: ErrorCode,
  options: ExecOptions,
  variables: Record<string, string> = {},
): Promise<RunResult> {
  const set = Object.entries(variables).flatMap(([name, value]) => ['-v', `${name}=${value}`]);
  const command = ['psql', '-XAtqw', '-v', 'ON_ERROR_STOP=1', ...set, '-U', target.user, '-d', target.database, '-f', '-'];
  return tool(target, code, command, options);
}

/** Text in SQL (postgres: "4.1.2.1. String Constants"): a secret may be no variable of psql, whose arguments are public. */
export function literal(text: string): string {
  return text.includes('\\') ? ` E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'` : `'${text.replaceAll("'", "''")}'`;
}

/** Bytes on disk (pg_database_size). */
export async function databaseSize(target: DatabaseTarget): Promise<number> {
  return Number((await ask(target, 'SELECT pg_database_size(current_database())'))[0]);
}

export async function serverVersion(target: DatabaseTarget): Promise<string> {
  return (await ask(target, 'SHOW server_version'))[0] ?? '';
}

/**
 * Ends the sessions with that application_name, waits until they are gone, and returns how many there were: after SIGKILL of
 * `compose exec` the process in the container goes on (docs/FACTS.md "A killed exec").
 */
export async function endSessions(target: DatabaseTarget, applicationName: string): Promise<number> {
  const mine = "FROM pg_stat_activity WHERE application_name = :'name' AND pid <> pg_backend_pid()";
  const ended = await ask(target, `SELECT pg_terminate_backend(pid) ${mine}`, { name: applicationName });
  for (let tries = 0; tries < 50 && ended.length > 0; tries++) {
    if ((await ask(target, `SELECT count(*) ${mine}`, { name: applicationName }))[0] === '0') return ended.length;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  if (ended.length === 0) return 0;
  throw new AirdockError('STEP_FAILED', `sessions named ${applicationName} do not end`, {
    hint: 'Look at pg_stat_activity, and restart the database service if nothing else helps.',
  });
}
