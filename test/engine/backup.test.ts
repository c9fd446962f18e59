import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { backupDatabase, backupMetadata, databaseSize, endSessions } from '../../src/data/postgres/backup/backup.ts';
import { fingerprint } from '../../src/data/postgres/compare/fingerprint.ts';
import { backupKeys } from '../../src/data/postgres/backup/sealed.ts';
import { type Compose, type ExecOptions, openCompose } from '../../src/io/compose.ts';
import { type Run, run } from '../../src/io/process.ts';
import { type Host, startHost } from '../helpers/host.ts';
import { runName } from '../helpers/run-folder.ts';

/** Nothing but a dump that was read back in full is a backup (docs/FACTS.md "When a dump is a backup"); of others nothing stays. */

const fixtures = join(import.meta.dirname, '../fixtures/nodepad');
const composeFile = `
services:
  db:
    image: postgres:15
    environment: { POSTGRES_USER: app, POSTGRES_PASSWORD: geheim, POSTGRES_DB: shop }
    stop_signal: SIGKILL
`;

let host: Host;
let directory: string;
let compose: Compose;
let count = 0;
let size = 0;
const target = () => ({ tools: compose, service: 'db', user: 'app', database: 'shop' });
const folder = () => join(directory, 'backups', String(count));
const backup = (more: Partial<Parameters<typeof backupDatabase>[0]> = {}) => {
  count++;
  return backupDatabase({ ...target(), directory: folder(), applicationName: 'airdock 7', ...more });
};
const sql = async (text: string, database = 'shop') => {
  const command = ['psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-U', 'app', '-d', database];
  const result = await compose.exec('db', command, { input: Buffer.from(text) });
  if (result.exitCode !== 0) throw new Error(result.stderr);
  return result.stdout.trim();
};
const nothingLeft = async () => {
  expect((await readdir(join(directory, 'backups'))).filter((name) => name.startsWith(String(count)))).toEqual([]);
};
const sessions = () => sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'airdock 7'");
/** A session that has done that, and not committed it, until it is ended. */
const hold = async (change: string, relation: string) => {
  const holding = compose.exec('db', ['psql', '-U', 'app', '-d', 'shop'], {
    env: { PGAPPNAME: 'holder' },
    input: Buffer.from(`BEGIN; ${change}; SELECT pg_sleep(300);`),
  });
  const locks = `SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = '${relation}'::regclass`;
  await vi.waitFor(async () => expect(await sql(locks)).toBe('1'), 10_000);
  return async () => {
    await endSessions(target(), 'holder');
    await holding;
  };
};
/** The snapshot waits for the table. */
const holdTable = () => hold('LOCK TABLE note IN ACCESS EXCLUSIVE MODE', 'note');
/** pg_dump waits for where the sequence stands. */
const holdSequence = () => hold('ALTER SEQUENCE note_id_seq RENAME TO away', 'note_id_seq');
const failureOf = (made: Promise<unknown>) =>
  made.then(
    () => 'it was made',
    (error: unknown) => error,
  );
/** The session that holds the snapshot, and pg_dump, which waits. */
const dumping = () => vi.waitFor(async () => expect(await sessions()).toBe('2'), 20_000);

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'airdock-backup-'));
  await mkdir(join(directory, 'backups'));
  host = await startHost({ name: runName('backup-20'), engine: '20.10' });
  await execa(join(fixtures, 'load-images'), ['0.2.4'], { env: host.env });
  await writeFile(join(directory, 'compose.yaml'), composeFile);
  await writeFile(join(directory, '.env'), '');
  const bound: Run = (command, args, options) => run(command, args, { ...options, env: { ...host.env, ...options?.env } });
  const files = [join(directory, 'compose.yaml')];
  const endpoint = host.env['DOCKER_HOST'] ?? '';
  compose = openCompose({ run: bound, endpoint, project: 'backup', directory, files, envFile: join(directory, '.env') });
  await compose.up();
  await vi.waitFor(() => sql('SELECT 1'), { timeout: 300_000, interval: 200 });
  await sleep(500);
  await sql(`
    CREATE TABLE note (id serial PRIMARY KEY, text text, body bytea);
    INSERT INTO note (text, body) SELECT 'nötiz ' || i, decode(repeat(md5(i::text), 60), 'hex') FROM generate_series(1, 5000) i;
    SELECT lo_from_bytea(0, 'large'::bytea);
    CREATE ROLE reader LOGIN PASSWORD 'lesen';
    CREATE ROLE owner LOGIN NOSUPERUSER CREATEDB;
    GRANT SELECT ON note TO reader;
    REVOKE ALL ON DATABASE shop FROM PUBLIC;
    GRANT CONNECT ON DATABASE shop TO reader WITH GRANT OPTION;
    ALTER DATABASE shop SET search_path TO public, "Odd Name";
    ALTER DATABASE shop SET application_name TO 'it''s "quoted"';
    ALTER ROLE reader IN DATABASE shop SET statement_timeout TO '5s';
    COMMENT ON DATABASE shop IS 'the shop''s';
    CREATE DATABASE mine OWNER owner;`);
});
afterAll(async () => {
  await host.stop();
  await rm(directory, { recursive: true });
});

describe('a backup', () => {
  test('of a database that gives statements 1 ms: what limits the application is not for us', async () => {
    await sql(`ALTER DATABASE shop SET statement_timeout = '1ms'`);
    try {
      expect((await backup()).bytes).toBeGreaterThan(0);
    } finally {
      await sql('ALTER DATABASE shop RESET statement_timeout', 'postgres');
    }
  });

  test('is a dump that was read back, with roles, settings and what is known of it', async () => {
    const seen: number[] = [];
    const made = await backup({ release: '0.2.4', onProgress: (bytes) => seen.push(bytes) });
    expect((await readdir(folder())).toSorted()).toEqual([
      'dump',
      'fingerprint.json',
      'metadata.json',
      'roles.sql',
      'settings.sql',
    ]);
    for (const name of await readdir(folder())) expect((await stat(join(folder(), name))).mode & 0o777).toBe(0o600);
    expect((await stat(folder())).mode & 0o777).toBe(0o700);
    size = made.bytes;
    const dump = await readFile(made.dumpPath);
    expect(dump.subarray(0, 5).toString()).toBe('PGDMP');
    expect(made).toMatchObject({ bytes: dump.length, sha256: createHash('sha256').update(dump).digest('hex') });
    expect(seen.at(-1)).toBe(dump.length);
    const metadata = backupMetadata.parse(JSON.parse(await readFile(join(folder(), 'metadata.json'), 'utf8')));
    expect(metadata).toMatchObject({ id: String(count), release: '0.2.4', proven: false, roles: { passwords: true } });
    expect(metadata.serverVersion).toMatch(/^15\./);
    expect(metadata.locale).toEqual({
      encoding: 'UTF8',
      collate: 'C.UTF-8',
      ctype: 'C.UTF-8',
      provider: 'libc',
      icuLocale: null,
      collationVersion: null,
    });
    const taken = await readFile(join(folder(), 'fingerprint.json'));
    const { bytes, sha256 } = metadata.fingerprint ?? {};
    expect({ bytes, sha256 }).toEqual({ bytes: taken.length, sha256: createHash('sha256').update(taken).digest('hex') });
    expect(fingerprint.parse(JSON.parse(taken.toString()))).toMatchObject({
      tables: { 'public.note': { rows: 5000 } },
      sequences: { 'public.note_id_seq': { value: '5000', called: true } },
      largeObjects: { count: 1 },
    });
    expect(await readFile(join(folder(), 'roles.sql'), 'utf8')).toContain('CREATE ROLE reader');
    expect(await sessions()).toBe('0');
  });

  test('can be restored under another name with stock tools, settings and rights included', async () => {
    const { dumpPath } = await backup();
    await sql('CREATE DATABASE copy TEMPLATE template0', 'postgres');
    const restore = ['pg_restore', '-1', '-e', '-U', 'app', '-d', 'copy'];
    expect(await compose.exec('db', restore, { input: await readFile(dumpPath) })).toMatchObject({ exitCode: 0 });
    const settings = ['psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-v', 'database=copy', '-U', 'app', '-d', 'postgres'];
    const applied = await compose.exec('db', settings, { input: await readFile(join(folder(), 'settings.sql')) });
    expect(applied).toMatchObject({ exitCode: 0, stderr: '' });
    const rows = "SELECT count(*), md5(string_agg(n::text, '' ORDER BY id)) FROM note n";
    expect(await sql(`SET search_path TO public; ${rows}`, 'copy')).toBe(await sql(`SET search_path TO public; ${rows}`));
    const facts = (name: string) =>
      sql(
        `SELECT datacl, datconnlimit, shobj_description(d.oid, 'pg_database'), datdba::regrole,
          (SELECT string_agg(setrole || setconfig::text, ';' ORDER BY setrole) FROM pg_db_role_setting WHERE setdatabase = d.oid)
          FROM pg_database d WHERE datname = '${name}'`,
        'postgres',
      );
    expect(await facts('copy')).toBe(await facts('shop'));
    expect(await facts('copy')).toContain('Odd Name');
  });

  test('encrypted: nothing of it can be read without the identity; age alone decrypts it', async () => {
    const identity = await generateX25519Identity();
    const recipient = await identityToRecipient(identity);
    const made = await backup({ keys: await backupKeys([recipient], []) });
    const files = (await readdir(folder())).toSorted();
    expect(files).toEqual(['dump.age', 'fingerprint.json.age', 'metadata.json', 'roles.sql.age', 'settings.sql.age']);
    for (const name of files) {
      expect((await stat(join(folder(), name))).mode & 0o777).toBe(0o600);
      const text = await readFile(join(folder(), name), 'latin1');
      for (const secret of ['PGDMP', 'SCRAM', 'CREATE ROLE', 'public.note', 'Odd Name', 'reader'])
        expect(text).not.toContain(secret);
    }
    expect(made.metadata.encryptedTo).toEqual([recipient]);
    const key = join(directory, 'identity.txt');
    await writeFile(key, `# for tests\n${identity}\n`);
    const plain = await execa('age', ['-d', '-i', key, made.dumpPath], { encoding: 'buffer' });
    expect(await compose.exec('db', ['pg_restore', '-f', '/dev/null'], { input: Buffer.from(plain.stdout) })).toMatchObject({
      exitCode: 0,
    });
    expect((await execa('age', ['-d', '-i', key, join(folder(), 'roles.sql.age')])).stdout).toContain('CREATE ROLE reader');
  });

  test('of a user who is no superuser has the roles without passwords', async () => {
    const { metadata } = await backup({ user: 'owner', database: 'mine' });
    expect(metadata.roles.passwords).toBe(false);
    expect(await readFile(join(folder(), 'roles.sql'), 'utf8')).not.toContain('SCRAM');
  });
});

describe('is none', () => {
  afterEach(nothingLeft);

  test('when the session of pg_dump is ended', async () => {
    const release = await holdSequence();
    const running = failureOf(backup());
    await dumping();
    await sql(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'airdock 7' AND query ~ 'last_value'",
    );
    expect(await running).toMatchObject({ code: 'BACKUP_FAILED', message: expect.stringContaining('pg_dump') as string });
    await release();
  });

  test('when pg_dump is killed', async () => {
    const release = await holdSequence();
    const running = failureOf(backup());
    await dumping();
    const container = (await host.docker('ps', '-q', '--no-trunc')).trim();
    for (const line of (await host.docker('top', container, '-eo', 'pid,args')).split('\n')) {
      const [pid, program] = line.trim().split(/\s+/);
      if (program?.endsWith('pg_dump')) process.kill(Number(pid), 'SIGKILL');
    }
    expect(await running).toMatchObject({ code: 'BACKUP_FAILED', message: expect.stringContaining('pg_dump') as string });
    expect(await sessions()).toBe('0');
    await release();
  });

  test('when the session that holds the snapshot is ended', async () => {
    const release = await holdSequence();
    const running = failureOf(backup());
    await dumping();
    await sql(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'airdock 7' AND query !~ 'last_value'",
    );
    await release();
    expect(await running).toMatchObject({ code: 'BACKUP_FAILED', message: expect.stringContaining('snapshot') as string });
    expect(await sessions()).toBe('0');
  });

  test('when it is interrupted before there is a snapshot: no session goes on', async () => {
    const release = await holdTable();
    const controller = new AbortController();
    const running = failureOf(backup({ signal: controller.signal }));
    await vi.waitFor(async () => expect(await sessions()).toBe('1'), 10_000);
    controller.abort();
    expect(await running).toMatchObject({ code: 'INTERRUPTED' });
    expect(await sessions()).toBe('0');
    await release();
  });

  test('when it is interrupted: no session goes on', async () => {
    const release = await holdSequence();
    const controller = new AbortController();
    const running = failureOf(backup({ signal: controller.signal }));
    await dumping();
    controller.abort();
    expect(await running).toMatchObject({ code: 'INTERRUPTED' });
    expect(await sessions()).toBe('0');
    await release();
  });

  // What a pipe, a disk or a proxy may do behind the back of an exit code 0.
  const through = (change: () => Transform): Compose => ({
    ...compose,
    exec: async (service: string, command: readonly string[], options: ExecOptions = {}) => {
      if (!options.stdout || command[0] !== 'pg_dump') return compose.exec(service, command, options);
      const changed = change();
      changed.pipe(options.stdout);
      const ended = new Promise((resolve) => options.stdout?.once('finish', resolve));
      const result = await compose.exec(service, command, { ...options, stdout: changed });
      await ended;
      return result;
    },
  });
  const perByte = (edit: (chunk: Buffer, at: number) => Buffer) => () => {
    let at = 0;
    return new Transform({
      transform(chunk: Buffer, _encoding, done) {
        const edited = edit(chunk, at);
        at += chunk.length;
        done(null, edited);
      },
    });
  };

  test.each([0.001, 0.2, 0.5, 0.8, 0.95, 0.99])('when %f of the dump arrives', async (share) => {
    const cut = Math.floor(size * share);
    const cutter = perByte((chunk, at) => chunk.subarray(0, Math.max(0, cut - at)));
    await expect(backup({ tools: through(cutter) })).rejects.toMatchObject({ code: 'BACKUP_FAILED' });
  });

  test.each([0.1, 0.3, 0.6, 0.9])('when a bit at %f of the dump flips', async (share) => {
    const flip = Math.floor(size * share);
    const flipper = perByte((chunk, at) => {
      const edited = Buffer.from(chunk);
      if (flip >= at && flip < at + chunk.length) edited.writeUInt8(edited.readUInt8(flip - at) ^ 0x10, flip - at);
      return edited;
    });
    await expect(backup({ tools: through(flipper) })).rejects.toMatchObject({ code: 'BACKUP_FAILED' });
  });

  test.each(['plain', 'encrypted'])('on a disk that fills up, %s', async (how) => {
    const recipient = await identityToRecipient(await generateX25519Identity());
    const keys = await backupKeys(how === 'plain' ? [] : [recipient], []);
    const disk = join(directory, `disk-${how}`);
    await mkdir(disk);
    await execa`mount -t tmpfs -o size=128k none ${disk}`;
    try {
      await expect(backup({ directory: join(disk, 'b'), keys })).rejects.toMatchObject({ code: 'DISK_FULL' });
      expect(await readdir(disk)).toEqual([]);
    } finally {
      await execa`umount ${disk}`;
    }
  });

  test('of a database that is not there', async () => {
    await expect(backup({ database: 'nowhere' })).rejects.toMatchObject({
      code: 'BACKUP_FAILED',
      message: expect.stringContaining('database "nowhere" does not exist') as string,
    });
  });
});

test('size and sessions', async () => {
  expect(await databaseSize(target())).toBeGreaterThan(5_000_000);
  expect(await endSessions(target(), "o'hare")).toBe(0);
});

test('a TCP login tells what is wrong', async () => {
  const address = await host.docker('inspect', '-f', '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}', 'backup-db-1');
  const login = async (more: object) => {
    const options = {
      host: address.trim(),
      port: 5432,
      user: 'app',
      password: 'geheim',
      database: 'shop',
      applicationName: 'x',
      timeoutMs: 2000,
      ...more,
    };
    const script = `import { connect } from ${JSON.stringify(join(import.meta.dirname, '../../src/io/postgres.ts'))};
      try {
        const session = await connect(${JSON.stringify(options)});
        console.log(JSON.stringify(await session.query('SELECT current_user AS name, $1::int AS number', [7])));
        await session.close();
      } catch (error) { console.log(error.code); }`;
    return (await host.exec([process.execPath, '--input-type=module', '-e', script])).stdout.trim();
  };
  expect(JSON.parse(await login({}))).toEqual([{ name: 'app', number: 7 }]);
  expect(await login({ password: 'falsch' })).toBe('DATABASE_AUTH');
  expect(await login({ database: 'nowhere' })).toBe('DATABASE_MISSING');
  expect(await login({ port: 5433 })).toBe('DATABASE_UNREACHABLE');
  expect(await login({ host: '192.0.2.1' })).toBe('DATABASE_UNREACHABLE');
});

describe('at the end', () => {
  test('a server that dies in the middle is no backup', async () => {
    await holdSequence().catch(() => {});
    const running = failureOf(backup());
    await dumping();
    await compose.stop(['db']);
    expect(await running).toMatchObject({ code: 'BACKUP_FAILED' });
    await nothingLeft();
  });
});
