// A backup is proven by a restore on a server of its own, and by nothing less (docs/adr/0007).
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { backupDatabase, backupMetadata } from '../../src/data/postgres/backup/backup.ts';
import { restoreBackup } from '../../src/data/postgres/backup/restore.ts';
import { backupKeys, noKeys, type BackupKeys } from '../../src/data/postgres/backup/sealed.ts';
import { readBackup } from '../../src/data/postgres/backup/stored-backup.ts';
import type { Host as Outside } from '../../src/vm/site/host.ts';
import { checkedBackup, proveIn, type Proof } from '../../src/data/postgres/backup/prove.ts';
import { reasonsAgainst } from '../../src/vm/transaction/check-database-image.ts';
import { withScratch } from '../../src/vm/scratch/server.ts';
import type { Site } from '../../src/vm/site/site.ts';
import { type Compose, type ComposeOptions, openCompose } from '../../src/io/compose.ts';
import { openToolbox } from '../../src/io/toolbox.ts';
import { openDocker } from '../../src/io/docker.ts';
import { type Run, run } from '../../src/io/process.ts';
import { cases } from '../helpers/faults.ts';
import { type Host, startHost } from '../helpers/host.ts';
import { runName } from '../helpers/run-folder.ts';

const fixtures = join(import.meta.dirname, '../fixtures/nodepad');
const composeFile = (command: string) => `
services:
  db:
    image: postgres:15
    command: ${command}
    environment: { POSTGRES_USER: app, POSTGRES_PASSWORD: geheim, POSTGRES_DB: shop }
    ports: ['5432:5432']
    volumes: ['data:/var/lib/postgresql/data']
    stop_signal: SIGKILL
volumes: { data: {} }
`;

let host: Host;
let directory: string;
let compose: Compose;
let site: Site & { keys: BackupKeys };
let count = 0;
const backup = async (database = 'shop', keys = noKeys): Promise<string> => {
  count++;
  const folder = join(directory, '.airdock/backups', `20261122-${count}`);
  const target = { tools: compose, service: 'db', user: 'app', database };
  await backupDatabase({ ...target, directory: folder, applicationName: 'airdock 7', keys });
  return folder;
};
/** As `airdock backup verify` does. */
const prove = async (folder: string): Promise<Proof> => {
  const checked = await checkedBackup(site, await readBackup(folder));
  return withScratch(site, { service: 'db' }, (scratch) => proveIn(site, scratch, checked));
};
const metadataOf = async (folder: string) =>
  backupMetadata.parse(JSON.parse(await readFile(join(folder, 'metadata.json'), 'utf8')));
const sql = async (text: string, database = 'shop') => {
  const command = ['psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-U', 'app', '-d', database];
  const result = await compose.exec('db', command, { input: Buffer.from(text) });
  if (result.exitCode !== 0) throw new Error(result.stderr);
  return result.stdout.trim();
};
/** All that there is on the engine. */
const inventory = async () =>
  Promise.all([host.docker('ps', '-aq'), host.docker('network', 'ls', '-q'), host.docker('volume', 'ls', '-q')]);
/** A copy whose metadata says what its files now hold: damage that came before the hash was taken. */
const rehashed = async (folder: string, change: (copy: string) => Promise<void>): Promise<string> => {
  count++;
  const copy = join(directory, '.airdock/backups', `20261122-${count}`);
  await cp(folder, copy, { recursive: true });
  await change(copy);
  const metadata = { ...(await metadataOf(folder)), id: `20261122-${count}` };
  for (const member of ['dump', 'fingerprint', 'roles', 'settings'] as const) {
    const bytes = await readFile(join(copy, metadata[member]!.file));
    Object.assign(metadata[member]!, { bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') });
  }
  await writeFile(join(copy, 'metadata.json'), JSON.stringify(metadata));
  return copy;
};

const pair = async () => {
  const identity = await generateX25519Identity();
  return { identity, recipient: await identityToRecipient(identity) };
};
let age: Awaited<ReturnType<typeof pair>>;
let before: string[];
beforeAll(async () => {
  age = await pair();
  directory = await mkdtemp(join(tmpdir(), 'airdock-prove-'));
  await mkdir(join(directory, '.airdock/backups'), { recursive: true });
  host = await startHost({ name: runName('prove') });
  await execa(join(fixtures, 'load-images'), ['0.2.4'], { env: host.env });
  await writeFile(join(directory, 'compose.yaml'), composeFile('postgres -c max_connections=50'));
  await writeFile(join(directory, '.env'), '');
  const bound: Run = (command, args, options) => run(command, args, { ...options, env: { ...host.env, ...options?.env } });
  const endpoint = host.env['DOCKER_HOST'] ?? '';
  const open = (options: Omit<ComposeOptions, 'run'>) => openCompose({ ...options, run: bound });
  const files = [join(directory, 'compose.yaml')];
  compose = open({ endpoint, project: 'shop', directory, files, envFile: join(directory, '.env') });
  site = {
    host: { openCompose: open, clock: () => new Date('2026-11-22T02:14:00Z') } as unknown as Outside,
    directory,
    airdock: join(directory, '.airdock'),
    project: 'shop',
    endpoint,
    docker: openDocker(endpoint),
    composeOf: (names, envFile) => open({ endpoint, project: 'shop', directory, files: names, envFile }),
    compose: () => Promise.resolve(compose),
    tools: (options) => openToolbox({ ...options, run: bound, endpoint }),
    keys: noKeys,
  };
  await compose.up();
  await vi.waitFor(() => sql('SELECT 1'), { timeout: 300_000, interval: 200 });
  await sleep(500);
  await sql(`
    CREATE ROLE "odd ""name"";" NOLOGIN;
    CREATE ROLE reader LOGIN PASSWORD 'lesen';
    GRANT "odd ""name"";" TO reader;
    GRANT pg_monitor TO reader;
    COMMENT ON ROLE reader IS 'it''s; a reader';
    CREATE TABLE note (id serial PRIMARY KEY, text text, body bytea);
    INSERT INTO note (text, body) SELECT 'nötiz ' || i, decode(repeat(md5(i::text), 20), 'hex') FROM generate_series(1, 3000) i;
    SELECT lo_from_bytea(0, 'large'::bytea);
    ALTER TABLE note OWNER TO "odd ""name"";";
    GRANT SELECT ON note TO reader;
    ALTER DATABASE shop SET search_path TO public, "Odd Name";
    ALTER DATABASE shop CONNECTION LIMIT 40;
    CREATE DATABASE sorted TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' OWNER reader;
    CREATE DATABASE icu TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'de-u-co-phonebk';`);
  await sql('CREATE TABLE t (name text); CREATE INDEX ON t (name)', 'sorted');
  await sql("CREATE TABLE t (name text); INSERT INTO t VALUES ('Müller'), ('Mull')", 'icu');
  before = await inventory();
});
afterAll(async () => {
  await host?.stop();
  await rm(directory, { recursive: true });
});
afterEach(async () => {
  expect(await inventory()).toEqual(before);
  expect(existsSync(join(directory, '.airdock/scratch'))).toBe(false);
});

describe('proven', () => {
  test('a backup that was restored and is equal', async () => {
    const folder = await backup();
    expect((await metadataOf(folder)).proven).toBe(false);
    const { restoredFingerprint: found, metadata } = await prove(folder);
    expect(metadata).toMatchObject({ proven: true, provenAt: '2026-11-22T02:14:00Z' });
    expect(await metadataOf(folder)).toEqual(metadata);
    expect(found.tables['public.note']).toMatchObject({ rows: 3000 });
  });

  test('an encrypted one: by the process that made it, and later by an identity of its recipient', async () => {
    const own = await backupKeys([age.recipient], []);
    const folder = await backup('shop', own);
    for (const keys of [own, { ...noKeys, identities: [age.identity] }]) {
      const checked = await checkedBackup({ ...site, keys }, await readBackup(folder));
      const { metadata } = await withScratch(site, { service: 'db' }, (scratch) => proveIn(site, scratch, checked));
      expect(metadata).toMatchObject({ proven: true, encryptedTo: [age.recipient] });
    }
  });

  test.each(cases([], ['another encoding']))('of %s, of an ICU locale, of a name that the new server has too', async () => {
    const folders = [await backup('sorted'), await backup('icu'), await backup('postgres')];
    await withScratch(site, { service: 'db' }, async (scratch) => {
      for (const folder of folders) {
        const { database } = await proveIn(site, scratch, await checkedBackup(site, await readBackup(folder)));
        expect(await metadataOf(folder)).toMatchObject({ proven: true, database: database.database });
      }
    });
  });
});

test('proven, with more large objects than the server can hold locks', async () => {
  await sql('CREATE DATABASE many', 'postgres');
  // 64 locks for each of 50 connections (max_locks_per_transaction), and some more
  await sql("SELECT count(lo_from_bytea(0, 'x')) FROM generate_series(1, 20000)", 'many');
  const { restoredFingerprint: found } = await prove(await backup('many'));
  expect(found.largeObjects.count).toBe(20_000);
  await sql('DROP DATABASE many', 'postgres');
});

describe('never called proven', () => {
  let good: string;
  beforeAll(async () => {
    good = await backup();
  });
  const expectDamage = async (file: string, change: (path: string) => Promise<void>): Promise<void> => {
    const path = join(good, file);
    const bytes = await readFile(path);
    await change(path);
    await expect(checkedBackup(site, await readBackup(good))).rejects.toMatchObject({
      code: 'BACKUP_DAMAGED',
      message: expect.stringContaining(file) as string,
    });
    expect(await metadataOf(good)).toMatchObject({ proven: false, damagedAt: '2026-11-22T02:14:00Z' });
    await writeFile(path, bytes);
  };

  test('a dump that was cut, at 100 places', async () => {
    const size = (await readFile(join(good, 'dump'))).length;
    for (let i = 0; i < 100; i++) await expectDamage('dump', (path) => truncate(path, Math.floor((size * i) / 100)));
  });

  test('an encrypted one without an identity that fits; nothing is said about it then', async () => {
    const folder = await backup('shop', await backupKeys([age.recipient], []));
    const stranger = { ...noKeys, identities: [(await pair()).identity] };
    for (const keys of [noKeys, stranger])
      await expect(checkedBackup({ ...site, keys }, await readBackup(folder))).rejects.toMatchObject({
        code: 'IDENTITY_NEEDED',
        exitCode: 2,
      });
    expect(await metadataOf(folder)).toMatchObject({ proven: false, encryptedTo: [age.recipient] });
    expect(await metadataOf(folder)).not.toHaveProperty('damagedAt');
    const path = join(folder, 'dump.age');
    const bytes = await readFile(path);
    bytes.writeUInt8(bytes.readUInt8(bytes.length >> 1) ^ 1, bytes.length >> 1);
    await writeFile(path, bytes);
    await expect(checkedBackup(site, await readBackup(folder))).rejects.toMatchObject({ code: 'BACKUP_DAMAGED' });
  });

  test('200 flipped bits, in each of its files', async () => {
    const files = ['dump', 'dump', 'dump', 'fingerprint.json', 'roles.sql', 'settings.sql'];
    for (let i = 0; i < 200; i++)
      await expectDamage(files[i % files.length]!, async (path) => {
        const bytes = await readFile(path);
        const at = (i * 2_654_435_761) % bytes.length;
        bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << (i % 8)), at);
        await writeFile(path, bytes);
      });
  });

  test('a file that is gone, metadata that cannot be read', async () => {
    await expectDamage('settings.sql', (path) => rm(path));
    const metadata = await readFile(join(good, 'metadata.json'));
    for (const text of [
      metadata.subarray(0, 300),
      Buffer.from(metadata.toString().replace(/"id": "[^"]*"/, '"id": "20261122-9999"')),
    ]) {
      await writeFile(join(good, 'metadata.json'), text);
      await expect(readBackup(good)).rejects.toMatchObject({ code: 'BACKUP_DAMAGED' });
    }
    await writeFile(join(good, 'metadata.json'), metadata);
  });

  test('what was damaged before it was hashed: a dump cut short, roles that fail', async () => {
    const size = (await readFile(join(good, 'dump'))).length;
    const copies: string[] = [];
    for (const share of [0, 0.02, 0.5, 0.99])
      copies.push(await rehashed(good, (copy) => truncate(join(copy, 'dump'), Math.floor(size * share))));
    const roles = await rehashed(good, (copy) =>
      writeFile(join(copy, 'roles.sql'), 'CREATE ROLE nobody;\nALTER ROLE nobody WITH NONSENSE;\n'),
    );
    await withScratch(site, { service: 'db' }, async (scratch) => {
      for (const copy of [...copies, roles]) {
        const checked = await checkedBackup(site, await readBackup(copy));
        await expect(proveIn(site, scratch, checked), copy).rejects.toMatchObject({
          code: 'BACKUP_UNPROVEN',
          message: expect.stringMatching(/pg_restore|psql/) as string,
        });
        expect(await metadataOf(copy)).toMatchObject({ proven: false });
        const left = await scratch.compose.exec('db', [
          'psql',
          '-XAtqc',
          'SELECT datname FROM pg_database',
          '-U',
          scratch.server.user,
        ]);
        expect(left.stdout).not.toContain('shop');
      }
    });
  });

  test('a wrong row, a missing row, another right: each difference is said', async () => {
    await sql(`CREATE DATABASE twin TEMPLATE shop; ALTER DATABASE twin SET search_path TO public, "Odd Name"`, 'postgres');
    await sql(`UPDATE note SET text = 'nötiz 7!' WHERE id = 7; CREATE TABLE late (id int)`, 'twin');
    const twin = await backup('twin');
    const wrong = await rehashed(good, (copy) => cp(join(twin, 'dump'), join(copy, 'dump')));
    await sql('DROP DATABASE twin', 'postgres');
    await expect(prove(wrong)).rejects.toMatchObject({
      code: 'BACKUP_UNPROVEN',
      exitCode: 6,
      message: expect.stringMatching(
        /public\.late[\s\S]*public\.note: 3000 rows, their content differs|public\.note: 3000[\s\S]*public\.late/,
      ) as string,
      details: { differences: expect.arrayContaining([expect.stringContaining('public.note')]) as string[] },
    });
    expect(await metadataOf(wrong)).toMatchObject({ proven: false });
  });

  test('a backup of an older airdock, which has no fingerprint', async () => {
    const old = await rehashed(good, () => Promise.resolve());
    const { fingerprint: _one, locale: _two, ...metadata } = await metadataOf(old);
    await writeFile(join(old, 'metadata.json'), JSON.stringify(metadata));
    await rm(join(old, 'fingerprint.json'));
    await expect(prove(old)).rejects.toMatchObject({
      code: 'BACKUP_UNPROVEN',
      message: expect.stringContaining('no fingerprint') as string,
    });
  });
});

describe('restored on the live server', () => {
  const restore = async (folder: string, name: string) => {
    const checked = await checkedBackup(site, await readBackup(folder));
    return restoreBackup({
      server: { tools: compose, service: 'db', user: 'app', database: 'postgres' },
      backup: checked,
      name,
      applicationName: 'airdock 8',
    });
  };

  test('as a new database beside the others, settings included; roles that are there stay as they are', async () => {
    const folder = await backup();
    await sql("ALTER ROLE reader PASSWORD 'newer'; DROP ROLE IF EXISTS extra");
    const password = await sql("SELECT rolpassword FROM pg_authid WHERE rolname = 'reader'");
    const { roles, target } = await restore(folder, 'shop "2"');
    expect(roles).toEqual([]);
    expect(target.database).toBe('shop "2"');
    expect(await sql("SELECT rolpassword FROM pg_authid WHERE rolname = 'reader'")).toBe(password);
    expect(await sql('SELECT count(*) FROM public.note', 'shop "2"')).toBe('3000');
    expect(await sql(`SELECT datconnlimit FROM pg_database WHERE datname = 'shop "2"'`)).toBe('40');
    await sql('DROP DATABASE "shop ""2"""', 'postgres');
  });

  test('a name that is taken is refused, and that database is not touched', async () => {
    const folder = await backup();
    await expect(restore(folder, 'icu')).rejects.toMatchObject({
      code: 'RESTORE_FAILED',
      message: expect.stringContaining('already exists') as string,
    });
    expect(await sql('SELECT count(*) FROM t', 'icu')).toBe('2');
  });

  test('what fails leaves no database behind', async () => {
    const folder = await rehashed(await backup(), (copy) => truncate(join(copy, 'dump'), 4000));
    await expect(restore(folder, 'half')).rejects.toMatchObject({ code: 'RESTORE_FAILED' });
    expect(await sql("SELECT count(*) FROM pg_database WHERE datname = 'half'")).toBe('0');
  });

  test('interrupted: neither a database nor a session is left', async () => {
    const checked = await checkedBackup(site, await readBackup(await backup()));
    const stop = new AbortController();
    const options = {
      server: { tools: compose, service: 'db', user: 'app', database: 'postgres' },
      backup: checked,
      name: 'half',
      applicationName: 'airdock 9',
    };
    await expect(restoreBackup({ ...options, signal: stop.signal, onProgress: () => stop.abort() })).rejects.toMatchObject({
      code: 'INTERRUPTED',
    });
    expect(await sql("SELECT count(*) FROM pg_database WHERE datname = 'half'")).toBe('0');
    expect(await sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'airdock 9'")).toBe('0');
  });
});

describe('another image of the database', () => {
  test('that lacks an extension which is used is found; the same image has all', async () => {
    await sql('CREATE EXTENSION pg_trgm');
    const image = (await host.docker('inspect', '-f', '{{.Config.Image}}', 'shop-db-1')).trim();
    const remove = 'rm -f $(find / -xdev -name pg_trgm.control)';
    await host.docker('run', '--name', 'trimmed', '--entrypoint', 'sh', image, '-c', remove);
    const like = JSON.parse(await host.docker('inspect', '-f', '{{json .Config.Entrypoint}}', 'shop-db-1')) as string[];
    const command = JSON.parse(await host.docker('inspect', '-f', '{{json .Config.Cmd}}', 'shop-db-1')) as string[];
    const change = (word: string, value: unknown) => ['--change', `${word} ${JSON.stringify(value)}`];
    await host.docker('commit', ...change('ENTRYPOINT', like), ...change('CMD', command), 'trimmed', 'trimmed:1');
    const live = { tools: compose, service: 'db', user: 'app', database: 'shop' };
    const unfit = (other?: string) =>
      withScratch(site, { service: 'db', ...(other === undefined ? {} : { image: other }) }, ({ server }) =>
        reasonsAgainst(live, server),
      );
    expect(await unfit()).toEqual([]);
    expect(await unfit('trimmed:1')).toEqual(['it lacks the extension pg_trgm']);
    // a library of another version (an image on musl has none): what is on record is changed in place of the library
    await sql(`UPDATE pg_database SET datcollversion = '1.0' WHERE datname = 'shop'`);
    expect(await unfit()).toEqual([
      expect.stringMatching(/^its collation library has version (none|\d\S*), .* sorted by 1\.0: /),
    ]);
    await sql(`DROP EXTENSION pg_trgm; UPDATE pg_database SET datcollversion = NULL WHERE datname = 'shop'`);
    await host.docker('rm', '-v', 'trimmed');
    await host.docker('rmi', 'trimmed:1');
  });
});

describe('the scratch server', () => {
  test('of a project that is not ours is never touched', async () => {
    const foreign = ['docker', 'compose', '-p', 'shop-airdock-scratch', '-f', join(directory, 'foreign.yaml')];
    await writeFile(
      join(directory, 'foreign.yaml'),
      'services: { db: { image: "postgres:15", command: sleep 600, stop_signal: SIGKILL } }\n',
    );
    expect((await host.exec([...foreign, 'up', '-d'])).exitCode).toBe(0);
    const its = await host.docker('ps', '-q', '--filter', 'label=com.docker.compose.project=shop-airdock-scratch');
    await expect(withScratch(site, { service: 'db' }, () => Promise.resolve())).rejects.toMatchObject({
      code: 'SCRATCH_FAILED',
      exitCode: 5,
    });
    expect(await host.docker('ps', '-q', '--filter', 'label=com.docker.compose.project=shop-airdock-scratch')).toBe(its);
    await host.exec([...foreign, 'down', '-v']);
  });

  test('that does not start says why, in its own words', async () => {
    const file = join(directory, 'compose.yaml');
    const text = await readFile(file, 'utf8');
    await writeFile(file, composeFile('postgres -c max_connections=nonsense'));
    await expect(withScratch(site, { service: 'db' }, () => Promise.resolve())).rejects.toMatchObject({
      code: 'SCRATCH_FAILED',
      message: expect.stringContaining('max_connections') as string,
    });
    await writeFile(file, text);
  });

  test('runs the image of the live one, cannot be reached from outside, and goes when the work fails', async () => {
    const work = withScratch(site, { service: 'db' }, async ({ compose: own, server }) => {
      const [live, scratch] = await Promise.all(
        ['shop-db-1', 'shop-airdock-scratch-db-1'].map((name) => host.docker('inspect', '-f', '{{.Image}}', name)),
      );
      expect(scratch).toBe(live);
      expect((await host.docker('port', 'shop-airdock-scratch-db-1')).trim()).toBe('');
      expect(await own.exec('db', ['psql', '-XAtqc', 'SHOW max_connections', '-U', server.user])).toMatchObject({
        stdout: '50\n',
      });
      throw new Error('of the work');
    });
    await expect(work).rejects.toThrow('of the work');
  });
});
