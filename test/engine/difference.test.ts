// Which rows two databases differ by, counted exactly, on a real server (docs/adr/0008-irreversible.md, "What is left aside").
import { mkdtemp, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { PostgresServer } from '../../src/data/postgres/swap/admin.ts';
import { compareWithSpool, type Spool, spoolRows } from '../../src/data/postgres/compare/difference.ts';
import { type Compose, openCompose } from '../../src/io/compose.ts';
import { type Run, run } from '../../src/io/process.ts';
import { cases } from '../helpers/faults.ts';
import { type Host, startHost } from '../helpers/host.ts';
import { runName } from '../helpers/run-folder.ts';

const composeFile = `
services:
  db:
    image: postgres:15
    environment: { POSTGRES_USER: app, POSTGRES_PASSWORD: geheim, POSTGRES_DB: older }
    stop_signal: SIGKILL
`;

let host: Host;
let directory: string;
let compose: Compose;
let count = 0;
const cluster = (database: string): PostgresServer => ({
  tools: compose,
  service: 'db',
  user: 'app',
  database,
  applicationName: 'airdock-7',
});
const sql = async (database: string, text: string) => {
  const command = ['psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-U', 'app', '-d', database];
  const result = await compose.exec('db', command, { input: Buffer.from(text) });
  if (result.exitCode !== 0) throw new Error(result.stderr);
  return result.stdout.trim();
};
const folder = () => join(directory, `rows-${count}`);
const spool = () => spoolRows(cluster('older'), cluster('newer'), folder());
const sessions = () => sql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'airdock-7'");

/** `older` as `make` says, `newer` a copy of it as `change` says. */
async function databases(make: string, change: string): Promise<void> {
  await sql('postgres', 'DROP DATABASE IF EXISTS newer; DROP DATABASE IF EXISTS older;');
  await sql('postgres', 'CREATE DATABASE older;');
  await sql('older', make);
  await sql('postgres', 'CREATE DATABASE newer TEMPLATE older;');
  await sql('newer', change);
}
async function differences(make: string, change: string): Promise<unknown> {
  await databases(make, change);
  const found = await compareWithSpool(await spool(), cluster('newer'));
  return Object.fromEntries(found.map(({ table, gained, changed, lost }) => [table, [gained, changed, lost]]));
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'airdock-difference-'));
  host = await startHost({ name: runName('difference-20'), engine: '20.10' });
  await execa(join(import.meta.dirname, '../fixtures/nodepad/load-images'), ['0.2.4'], { env: host.env });
  await writeFile(join(directory, 'compose.yaml'), composeFile);
  await writeFile(join(directory, '.env'), '');
  const bound: Run = (command, args, options) => run(command, args, { ...options, env: { ...host.env, ...options?.env } });
  const files = [join(directory, 'compose.yaml')];
  const endpoint = host.env['DOCKER_HOST'] ?? '';
  compose = openCompose({ run: bound, endpoint, project: 'difference', directory, files, envFile: join(directory, '.env') });
  await compose.up();
  await vi.waitFor(() => sql('older', 'SELECT 1'), { timeout: 300_000, interval: 200 });
  await sleep(500);
});
afterAll(async () => {
  await host?.stop();
  await rm(directory, { recursive: true });
});
beforeEach(() => void (count += 1));

describe('counted exactly', () => {
  test('inserted, updated, deleted; by keys of several columns, quoted, of any type; null, text, bytes, arrays', async () => {
    expect(
      await differences(
        `CREATE TABLE notes (id serial PRIMARY KEY, title text, body bytea, tags text[], at timestamptz, price float8);
         INSERT INTO notes (title, body, tags, at, price) SELECT 'nötiz ' || i, decode(md5(i::text), 'hex'), ARRAY['a', NULL, i::text],
           '2026-01-01'::timestamptz + i * interval '1 min', i / 3.0 FROM generate_series(1, 1000) i;
         CREATE TABLE same (id int PRIMARY KEY); INSERT INTO same SELECT generate_series(1, 100);
         CREATE SCHEMA "Große Liste";
         CREATE TABLE "Große Liste"."it's ""x"" :name;\\n" ("Schlüssel a" text, "b:c" uuid, "user" numeric, PRIMARY KEY ("b:c", "Schlüssel a"));
         INSERT INTO "Große Liste"."it's ""x"" :name;\\n" SELECT 'k' || i % 10, md5(i::text)::uuid, i FROM generate_series(1, 200) i;
         CREATE TABLE "user" (t text PRIMARY KEY, "user" text); INSERT INTO "user" VALUES ('a', NULL), ('b', ''), ('c', 'NULL');`,
        `INSERT INTO notes (title) SELECT 'new' FROM generate_series(1, 7);
         UPDATE notes SET title = NULL WHERE id <= 3;
         UPDATE notes SET body = body || '\\x00' WHERE id BETWEEN 4 AND 5;
         UPDATE notes SET price = price + 1e-13 WHERE id = 6;
         UPDATE notes SET at = at + interval '1 microsecond' WHERE id = 7;
         UPDATE notes SET title = title;
         DELETE FROM notes WHERE id BETWEEN 11 AND 14;
         UPDATE notes SET id = id + 100000 WHERE id = 20;
         UPDATE "Große Liste"."it's ""x"" :name;\\n" SET "user" = 0 WHERE "user" <= 2;
         DELETE FROM "Große Liste"."it's ""x"" :name;\\n" WHERE "user" = 3;
         UPDATE "user" SET "user" = '' WHERE t = 'a';
         ALTER DATABASE newer SET DateStyle TO German; ALTER DATABASE newer SET bytea_output TO escape;
         ALTER DATABASE newer SET extra_float_digits TO -5; ALTER DATABASE newer SET TimeZone TO 'Asia/Tokyo';
         ALTER DATABASE newer SET search_path TO "Große Liste"; ALTER DATABASE newer SET statement_timeout TO 1;`,
      ),
    ).toEqual({
      'public.notes': [8, 7, 5],
      [`"Große Liste"."it's ""x"" :name;\\n"`]: [0, 2, 1],
      'public."user"': [0, 1, 0],
    });
    expect((await stat(folder())).mode & 0o777).toBe(0o700);
    expect((await stat(join(folder(), 'rows'))).mode & 0o777).toBe(0o600);
    expect(await sessions()).toBe('0');
  });

  test('over the columns that both have: dropped, added, retyped ones say nothing, a changed one beside them does', async () => {
    expect(
      await differences(
        `CREATE TYPE mood AS ENUM ('good');
         CREATE TABLE dropped (id int PRIMARY KEY, keep text, gone text); INSERT INTO dropped SELECT i, 'a', i FROM generate_series(1, 50) i;
         CREATE TABLE retyped (id int PRIMARY KEY, keep text, n int, m mood, v varchar(20));
         INSERT INTO retyped SELECT i, 'a', i, 'good', i FROM generate_series(1, 50) i;
         CREATE TABLE rekeyed (id int PRIMARY KEY, x int); INSERT INTO rekeyed SELECT i, i FROM generate_series(1, 50) i;
         CREATE TABLE other_key (a int PRIMARY KEY, b int); INSERT INTO other_key SELECT i, i FROM generate_series(1, 50) i;
         CREATE TABLE nothing_common (a int); INSERT INTO nothing_common VALUES (1);
         CREATE TABLE no_columns (); INSERT INTO no_columns DEFAULT VALUES;
         CREATE TABLE only_older (id int PRIMARY KEY); INSERT INTO only_older VALUES (1);`,
        `ALTER TABLE dropped DROP COLUMN gone, ADD COLUMN extra int DEFAULT 7; UPDATE dropped SET keep = 'b' WHERE id <= 3;
         CREATE SCHEMA s; CREATE TYPE s.mood AS ENUM ('good'); ALTER TABLE retyped ALTER n TYPE bigint, ALTER m TYPE s.mood USING 'good',
           ALTER v TYPE varchar(30); UPDATE retyped SET keep = 'b' WHERE id <= 2; UPDATE retyped SET n = 0, v = 'x';
         ALTER TABLE rekeyed ALTER id TYPE bigint; UPDATE rekeyed SET x = 0; INSERT INTO rekeyed VALUES (51, 1), (52, 1);
         ALTER TABLE other_key DROP CONSTRAINT other_key_pkey, ADD PRIMARY KEY (b); DELETE FROM other_key WHERE b > 45;
         ALTER TABLE nothing_common RENAME a TO b; INSERT INTO nothing_common VALUES (2);
         INSERT INTO no_columns DEFAULT VALUES; DROP TABLE only_older;`,
      ),
    ).toEqual({
      'public.dropped': [0, 3, 0],
      'public.retyped': [0, 2, 0],
      'public.rekeyed': [2, 0, 0],
      'public.other_key': [0, 0, 5],
      'public.nothing_common': [1, 0, 0],
      'public.no_columns': [1, 0, 0],
    });
  });

  test('without a key the numbers of rows; new tables; leaves of partitioned and heirs of inherited ones, each by itself', async () => {
    expect(
      await differences(
        `CREATE TABLE log (line text); INSERT INTO log SELECT i FROM generate_series(1, 30) i;
         CREATE TABLE part (id int, day int, PRIMARY KEY (id, day)) PARTITION BY LIST (day);
         CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1); CREATE TABLE part_2 PARTITION OF part FOR VALUES IN (2);
         INSERT INTO part SELECT i, 1 + i % 2 FROM generate_series(1, 20) i;
         CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE heir (PRIMARY KEY (id)) INHERITS (parent); INSERT INTO heir VALUES (1);
         CREATE TABLE secret (id int PRIMARY KEY, owner text); INSERT INTO secret VALUES (1, 'other');
         ALTER TABLE secret ENABLE ROW LEVEL SECURITY; ALTER TABLE secret FORCE ROW LEVEL SECURITY;`,
        `DELETE FROM log WHERE line::int <= 4; UPDATE log SET line = 'x';
         INSERT INTO part VALUES (21, 1), (22, 1); DELETE FROM part WHERE id = 1;
         INSERT INTO heir VALUES (2), (3); UPDATE secret SET owner = 'x';
         CREATE TABLE fresh (a int); INSERT INTO fresh VALUES (1), (1), (NULL); CREATE TABLE fresh_and_empty (a int);
         CREATE VIEW seen AS SELECT 1; CREATE MATERIALIZED VIEW stored AS SELECT generate_series(1, 5);`,
      ),
    ).toEqual({
      'public.log': [0, 0, 4],
      'public.part_1': [2, 0, 0],
      'public.part_2': [0, 0, 1],
      'public.heir': [2, 0, 0],
      'public.secret': [0, 1, 0],
      'public.fresh': [3, 0, 0],
    });
  });

  test('again with the same spool, when the older one has changed since, and a table came to the newer one', async () => {
    await databases('CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2), (3);', 'DELETE FROM t WHERE id = 1;');
    const kept = await spool();
    await sql('older', 'TRUNCATE t;');
    const lost = { table: 'public.t', gained: 0, changed: 0, lost: 1 };
    expect(await compareWithSpool(kept, cluster('newer'))).toEqual([lost]);
    await sql('newer', 'CREATE TABLE later (a int); INSERT INTO later VALUES (1); INSERT INTO t VALUES (9);');
    expect(await compareWithSpool(kept, cluster('newer'))).toEqual([
      { table: 'public.later', gained: 1, changed: 0, lost: 0 },
      { ...lost, gained: 1 },
    ]);
  });

  test('two that are equal, and two that are empty', async () => {
    expect(await differences('CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1);', 'SELECT 1;')).toEqual({});
    count += 1;
    expect(await differences('SELECT 1;', 'SELECT 1;')).toEqual({});
  });
});

describe('does not go on', () => {
  const kept = async (): Promise<Spool> => {
    await databases('CREATE TABLE t (id int PRIMARY KEY, x int); INSERT INTO t SELECT i, i FROM generate_series(1, 1000) i;', '');
    return spool();
  };

  test('when a column that was compared is gone, or the spool is cut short: an error, no wrong number', async () => {
    const spooled = await kept();
    await truncate(spooled.file, (await stat(spooled.file)).size - 100);
    await expect(compareWithSpool(spooled, cluster('newer'))).rejects.toMatchObject({ code: 'STEP_FAILED' });
    await sql('newer', 'ALTER TABLE t DROP COLUMN x;');
    await expect(compareWithSpool(spooled, cluster('newer'))).rejects.toMatchObject({
      code: 'STEP_FAILED',
      message: expect.stringContaining('column "x" does not exist') as string,
    });
    expect(await sessions()).toBe('0');
  });

  test('when it is interrupted: no session stays', async () => {
    const spooled = await kept();
    const holding = compose.exec('db', ['psql', '-U', 'app', '-d', 'newer'], {
      env: { PGAPPNAME: 'holder' },
      input: Buffer.from('BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(300);'),
    });
    const held = "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock'";
    await vi.waitFor(async () => expect(await sql('newer', held)).toBe('1'), 10_000);
    const controller = new AbortController();
    const failed = compareWithSpool(spooled, { ...cluster('newer'), signal: controller.signal }).catch((error: unknown) => error);
    await vi.waitFor(async () => expect(await sessions()).toBe('1'), 10_000);
    controller.abort();
    expect(await failed).toMatchObject({ code: 'INTERRUPTED' });
    expect(await sessions()).toBe('0');
    await sql('newer', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holder';");
    await holding;
  });

  test('when a row would be hidden from the user', async () => {
    await databases(
      `CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1); ALTER TABLE t ENABLE ROW LEVEL SECURITY;
       DO $$BEGIN CREATE ROLE plain LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END$$; GRANT SELECT ON t TO plain;`,
      '',
    );
    await expect(
      spoolRows({ ...cluster('older'), user: 'plain' }, { ...cluster('newer'), user: 'plain' }, folder()),
    ).rejects.toMatchObject({ code: 'STEP_FAILED', message: expect.stringContaining('row-level security') as string });
  });
});

test.each(cases([], ['a million rows']))('%s on either side: exact, and held in no memory', async () => {
  await databases(
    `CREATE TABLE big (id int PRIMARY KEY, body text); INSERT INTO big SELECT i, md5(i::text) FROM generate_series(1, 1000000) i;`,
    `DELETE FROM big WHERE id % 1000 = 0; UPDATE big SET body = 'x' WHERE id % 500 = 1;
     INSERT INTO big SELECT i, i FROM generate_series(1000001, 1000123) i;`,
  );
  const before = process.memoryUsage().rss;
  let most = before;
  const watch = setInterval(() => (most = Math.max(most, process.memoryUsage().rss)), 10);
  const spooled = await spool();
  const found = await compareWithSpool(spooled, cluster('newer'));
  clearInterval(watch);
  expect(found).toEqual([{ table: 'public.big', gained: 123, changed: 2000, lost: 1000 }]);
  expect((await stat(spooled.file)).size).toBe(1_000_000 * 26 + 19 + 2);
  expect(most - before).toBeLessThan(60e6); // as a Map one side takes more than 100 MB
});
