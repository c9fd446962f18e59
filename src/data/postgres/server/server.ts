import { AirdockError, type ErrorCode } from '../../../errors.ts';
import type { Compose, ExecOptions } from '../../../io/compose.ts';
import type { RunResult } from '../../../io/process.ts';

/**
 * A database, and the tools that reach it. They come from the image of its service, so they have the server's version. They
 * run in the service's container, or, if the database is outside of the deployment, in containers of their own.
 */
export type DatabaseTarget = { tools: Tools; service: string; user: string; database: string };
export type Tools = Pick<Compose, 'exec'>;

/** PGOPTIONS without timeouts: limits of the role or the database are meant for the application. */
export const unlimited = '-c statement_timeout=0 -c idle_in_transaction_session_timeout=0';

/** Runs a tool of the database's image. A failure is no exception: look at the exit code of the result. */
export function tryTool(target: DatabaseTarget, command: readonly string[], options: ExecOptions = {}): Promise<RunResult> {
  return target.tools.exec(target.service, command, { ...options, env: { PGOPTIONS: unlimited, ...options.env } });
}

/** Runs a tool of the database's image. @throws AirdockError with `code` and the tool's message, unless it exits with 0 */
export async function runTool(
  target: DatabaseTarget,
  code: ErrorCode,
  command: readonly string[],
  options: ExecOptions = {},
): Promise<RunResult> {
  const result = await tryTool(target, command, options);
  if (result.exitCode === 0) return result;
  const how = result.stderr.trim() || (result.timedOut ? 'it took too long' : `exit code ${result.exitCode}`);
  throw new AirdockError(code, `${command[0]} in ${target.service} failed: ${how.slice(-1500)}`);
}

/** Runs a query. @param variables written `:'name'` in the SQL (psql(1), "Variables") @returns rows as unaligned text, one a line */
export async function ask(
  target: DatabaseTarget,
  sql: string,
  variables: Record<string, string> = {},
  code: ErrorCode = 'DATABASE_UNREACHABLE',
): Promise<string[]> {
  const { stdout } = await psql(target, code, { input: Buffer.from(sql) }, variables);
  return stdout.split('\n').filter((line) => line !== '');
}

/** Runs psql with the SQL from `input`; the first error ends it. @throws AirdockError with `code` */
export function psql(
  target: DatabaseTarget,
  code: ErrorCode,
  options: ExecOptions,
  variables: Record<string, string> = {},
): Promise<RunResult> {
  const set = Object.entries(variables).flatMap(([name, value]) => ['-v', `${name}=${value}`]);
  const command = ['psql', '-XAtqw', '-v', 'ON_ERROR_STOP=1', ...set, '-U', target.user, '-d', target.database, '-f', '-'];
  return runTool(target, code, command, options);
}

/**
 * A string constant in SQL (postgres: "4.1.2.1. String Constants"). For secrets: a variable of psql would be an argument of the
 * process, which every user of the machine can read.
 */
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
 * Ends the sessions with an application_name and waits until they are gone: after SIGKILL of `compose exec` the process in the
 * container goes on (docs/FACTS.md "A killed exec").
 * @returns how many sessions there were
 */
export async function endSessions(target: DatabaseTarget, applicationName: string): Promise<number> {
  const ofThisName = "FROM pg_stat_activity WHERE application_name = :'name' AND pid <> pg_backend_pid()";
  const ended = await ask(target, `SELECT pg_terminate_backend(pid) ${ofThisName}`, { name: applicationName });
  for (let tries = 0; tries < 50 && ended.length > 0; tries++) {
    if ((await ask(target, `SELECT count(*) ${ofThisName}`, { name: applicationName }))[0] === '0') return ended.length;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  if (ended.length === 0) return 0;
  throw new AirdockError('STEP_FAILED', `sessions named ${applicationName} do not end`, {
    hint: 'Look at pg_stat_activity, and restart the database service if nothing else helps.',
  });
}
