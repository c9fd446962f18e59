import { type Readable, Transform } from 'node:stream';
import type { ExecOptions } from '../../../io/compose.ts';
import type { DatabaseLocale } from '../server/locale.ts';
import { missingRoles } from './roles.ts';
import { ask, type DatabaseTarget, endSessions, literal, psql, runTool, unlimited } from '../server/server.ts';
import type { CheckedBackup } from './stored-backup.ts';

export type RestoreOptions = {
  /** The server, and the user. `database` is an existing database, for the statements that make the new one. */
  server: DatabaseTarget;
  backup: CheckedBackup;
  /** The new database; the name must be free. */
  name: string;
  /** application_name of the sessions, by which recovery ends them after airdock was killed. */
  applicationName: string;
  signal?: AbortSignal | undefined;
  /** Gets the bytes of the dump that were read so far. */
  onProgress?: ((bytes: number) => void) | undefined;
};

/**
 * Restores a backup as a new database of a server, in the way that docs/OPERATIONS.md describes by hand: roles that are missing, a
 * database from template0 with the recorded encoding and locale, the dump, settings and rights of the database.
 * The server's other databases and roles are not changed.
 * @returns the new database, and the roles that were created for it
 * @throws AirdockError RESTORE_FAILED with the tool's message, INTERRUPTED; the incomplete database is dropped
 */
export async function restoreBackup(options: RestoreOptions): Promise<{ target: DatabaseTarget; roles: string[] }> {
  const { server, backup, name } = options;
  const target = { ...server, database: name };
  const roles = await makeRoles(options);
  // Without the signal: it takes a moment only, and after it we know whether the database is ours to drop.
  await statement(options, await createDatabase(server, backup.metadata.locale), { name });
  try {
    await restoreDump(options);
    const settings = await backup.text(backup.metadata.settings);
    await psql(server, 'RESTORE_FAILED', { ...common(options), input: Buffer.from(settings) }, { database: name });
    return { target, roles };
  } catch (error) {
    // pg_restore in the container keeps running, and would keep the database from being dropped.
    await endSessions(server, options.applicationName).catch(() => 0);
    await statement(options, 'DROP DATABASE :"name"', { name }).catch(() => {});
    throw error;
  }
}

async function makeRoles(options: RestoreOptions): Promise<string[]> {
  const script = await options.backup.text(options.backup.metadata.roles);
  const { names, sql } = missingRoles(script, await ask(options.server, 'SELECT rolname FROM pg_roles', {}, 'RESTORE_FAILED'));
  if (names.length > 0) await statement(options, `BEGIN;\n${sql}COMMIT;\n`);
  return names;
}

/**
 * SQL that makes the database named by the variable `name`, from template0: with any other template a database cannot have an
 * encoding and locale of its own (postgres: "CREATE DATABASE").
 */
export async function createDatabase(server: DatabaseTarget, locale: DatabaseLocale | undefined): Promise<string> {
  const create = 'CREATE DATABASE :"name" TEMPLATE template0';
  if (locale === undefined) return create;
  const [version] = await ask(server, 'SHOW server_version_num', {}, 'RESTORE_FAILED');
  const options = [
    `ENCODING ${literal(locale.encoding)}`,
    `LC_COLLATE ${literal(locale.collate)}`,
    `LC_CTYPE ${literal(locale.ctype)}`,
    ...(Number(version) >= 150_000 ? [`LOCALE_PROVIDER ${locale.provider}`] : []),
    ...(locale.icuLocale ? [`${locale.provider === 'builtin' ? 'BUILTIN' : 'ICU'}_LOCALE ${literal(locale.icuLocale)}`] : []),
    ...(locale.icuRules === undefined ? [] : [`ICU_RULES ${literal(locale.icuRules)}`]),
  ];
  return `${create} ${options.join(' ')}`;
}

/**
 * `-e` ends pg_restore at the first error; the database is dropped then. `-1` is not used: one transaction would need a lock for
 * each large object and table, and the server has about 6,000 (max_locks_per_transaction). synchronous_commit may be off, because
 * the commit of the swap brings everything to disk. Tablespaces are left out: they are paths of the original server.
 */
async function restoreDump(options: RestoreOptions): Promise<void> {
  const { server, backup, name, onProgress } = options;
  const command = ['pg_restore', '-e', '--no-tablespaces', '--no-password', '-U', server.user, '-d', name];
  const dump = await backup.open(backup.metadata.dump);
  const { env, ...rest } = common(options);
  await runTool(server, 'RESTORE_FAILED', command, {
    ...rest,
    env: { ...env, PGOPTIONS: `${unlimited} -c synchronous_commit=off` },
    input: onProgress ? counted(dump, onProgress) : dump,
  });
}

function counted(source: Readable, onProgress: (bytes: number) => void): Transform {
  let bytes = 0;
  const count = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      onProgress((bytes += chunk.length));
      done(null, chunk);
    },
  });
  source.on('error', (error) => count.destroy(error));
  return source.pipe(count);
}

async function statement(options: RestoreOptions, sql: string, variables: Record<string, string> = {}): Promise<void> {
  const { signal: _signal, ...rest } = common(options);
  await psql(options.server, 'RESTORE_FAILED', { ...rest, input: Buffer.from(sql) }, variables);
}

function common({ applicationName, signal }: RestoreOptions): ExecOptions {
  return { env: { PGAPPNAME: applicationName }, signal };
}
