import { type Readable, Transform } from 'node:stream';
import type { ExecOptions } from '../../../io/compose.ts';
import type { DatabaseLocale } from '../server/locale.ts';
import { missingRoles } from './roles.ts';
import { ask, type DatabaseTarget, endSessions, literal, psql, tool, unlimited } from '../server/server.ts';
import type { CheckedBackup } from './stored-backup.ts';

export type RestoreOptions = {
  /** Where to, and as whom. `database` is one of the server's that is there: the restored one is never connected to by it. */
  server: DatabaseTarget;
  backup: CheckedBackup;
  /** The new database; one of that name must not be there. */
  name: string;
  /** Name of the sessions on the server, so that recovery can end what a killed airdock left running. */
  applicationName: string;
  signal?: AbortSignal | undefined;
  /** Bytes of the dump that were read. */
  onProgress?: ((bytes: number) => void) | undefined;
};

/**
 * A backup as a new database of a server, the way docs/OPERATIONS.md describes by hand: roles that are missing, a database
 * from template0 with the recorded encoding and locale, the dump, settings and rights of the database.
 * The server's other databases and roles stay as they are.
 * @returns the new database, and the roles that were made for it
 * @throws AirdockError RESTORE_FAILED in the tool's words, INTERRUPTED; the half-made database is dropped
 */
export async function restoreBackup(options: RestoreOptions): Promise<{ target: DatabaseTarget; roles: string[] }> {
  const { server, backup, name } = options;
  const target = { ...server, database: name };
  const roles = await makeRoles(options);
  // Without the signal: what it would interrupt is short, and afterwards it is known whether the database is ours to drop.
  await statement(options, await createDatabase(server, backup.metadata.locale), { name });
  try {
    await restoreDump(options);
    const settings = await backup.text(backup.metadata.settings);
    await psql(server, 'RESTORE_FAILED', { ...common(options), input: Buffer.from(settings) }, { database: name });
    return { target, roles };
  } catch (error) {
    // pg_restore in the container goes on without us, and would hold the database.
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

/** For the variable `name`, from template0, which alone may be given another encoding and locale than the server's (postgres: "CREATE DATABASE"). */
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
 * `-e`: the first error ends it, and the database is dropped then. Not `-1`: one transaction would need a lock for each large
 * object and table, and the server holds about 6,000 (max_locks_per_transaction). What is not waited for (synchronous_commit)
 * is on the disk with the commit of the swap. Tablespaces are paths of the server that was backed up.
 */
async function restoreDump(options: RestoreOptions): Promise<void> {
  const { server, backup, name, onProgress } = options;
  const command = ['pg_restore', '-e', '--no-tablespaces', '--no-password', '-U', server.user, '-d', name];
  const dump = await backup.open(backup.metadata.dump);
  const { env, ...rest } = common(options);
  await tool(server, 'RESTORE_FAILED', command, {
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
