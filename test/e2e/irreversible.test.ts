// Across an irreversible migration and back, with a user who writes all the while: every acknowledged row is in the live
// database or in a kept one, and no old code meets a new schema (docs/adr/0008-irreversible.md).
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { airdock } from '../helpers/airdock.ts';
import { cases } from '../helpers/faults.ts';
import { startHost, type Host } from '../helpers/host.ts';
import { answering, containerIds, opt, psql, urlOf } from '../helpers/deployment.ts';
import { fingerprint, upgradedState } from '../helpers/pad.ts';
import { padBundles } from '../helpers/releases.ts';
import { runName } from '../helpers/run-folder.ts';
import { startWriter } from '../helpers/writer.ts';

const directory = opt('pad');
let host: Host;
let releases: Awaited<ReturnType<typeof padBundles>>;
beforeAll(async () => {
  releases = await padBundles('1.0.0', '1.1.0', '2.0.0', '2.0.1');
  host = await startHost({ name: runName('vm') });
});
afterAll(() => host?.stop());

const at = (...args: string[]): string[] => [...args, '--dir', directory];
const status = async () => (await airdock(host, at('status'))).json;
const kept = async () => (await status())['keptDatabases'] as { name: string; release: string; backup: string | null }[];
const writing = async () => startWriter(host, await urlOf(directory, 'notes'));

/** The lines of an answer of that database; a kept one is opened for the look. */
async function ask(database: string, query: string): Promise<string[]> {
  const open = (is: boolean) => psql(host, directory, 'postgres', `ALTER DATABASE "${database}" ALLOW_CONNECTIONS ${is}`);
  const live = database === 'pad';
  if (!live) await open(true);
  const rows = await psql(host, directory, database, query);
  if (!live) await open(false);
  return rows.split('\n');
}
const titles = async (database: string) => new Set(await ask(database, 'SELECT title FROM notes'));
/** Notes by id, over the columns that 1.1.0 and 2.0.0 have. */
async function notes(database: string): Promise<Map<string, string>> {
  const rows = await ask(database, "SELECT id || ' ' || md5(row(title, slug, body, created, pinned)::text) FROM notes");
  return new Map(rows.map((row) => row.split(' ') as [string, string]));
}
const databaseNames = async () =>
  (
    await psql(host, directory, 'postgres', 'SELECT datname, datallowconn FROM pg_database WHERE NOT datistemplate ORDER BY 1')
  ).split('\n');

describe('1.1.0 -> 2.0.0 and back', () => {
  const acknowledged: string[] = [];
  let ids: Record<string, string>;
  beforeAll(async () => {
    await upgradedState(host);
    ids = await containerIds(host, directory);
  });

  test('forward: the old version serves until it is quiesced; what was acknowledged is there; the old database is kept, dumped', async () => {
    const plan = await airdock(host, at('plan', releases.path('2.0.0')));
    expect(plan).toMatchObject({ exitCode: 0, json: { class: 'irreversible', findings: [] } });
    expect(plan.json['rollback']).toContain('airdock rollback 1.1.0 --restore-database');
    const writer = await writing();
    const done = await airdock(host, at('install', releases.path('2.0.0'), '--yes'));
    expect(done.exitCode, done.stdout + done.stderr).toBe(0);
    const before = writer.acknowledged.length;
    await expect.poll(() => writer.acknowledged.length, { timeout: 180_000 }).toBeGreaterThan(before);
    acknowledged.push(...(await writer.stop()));
    expect(await answering(host, directory)).toBe('2.0.0');
    const live = await titles('pad');
    expect(acknowledged.filter((title) => !live.has(title))).toEqual([]);
    expect(await status()).toMatchObject({
      current: '2.0.0',
      schemaRelease: '2.0.0',
      phase: 'good',
      drift: [],
      interrupted: null,
    });
    const { json: list } = await airdock(host, at('backup', 'list'));
    expect((list['backups'] as { database: string; state: string }[]).map(({ database, state }) => [database, state])).toEqual([
      ['pad', 'unproven'], // 1.0.0 -> 1.1.0 of the base state, without a rehearsal
      ['pad', 'proven'],
      ['pad_1_1_0_t3', 'proven'],
    ]);
    expect(await kept()).toEqual([
      expect.objectContaining({
        name: 'pad_1_1_0_t3',
        release: '1.1.0',
        backup: expect.stringMatching(/^\d{8}-\d+$/) as string,
      }),
    ]);
    expect(await databaseNames()).toEqual(['pad|t', 'pad_1_1_0_t3|f', 'postgres|t']);
    expect(await containerIds(host, directory)).toMatchObject({ db: ids['db'], redis: ids['redis'] });
    const dump = join(directory, '.airdock/backups', (await kept())[0]?.backup ?? '', 'metadata.json');
    expect(JSON.parse(await readFile(dump, 'utf8'))).toMatchObject({ database: 'pad_1_1_0_t3', release: '1.1.0' });
  });

  test('back by install --allow-downgrade: refused, old code never meets the new schema', async () => {
    const before = await containerIds(host, directory);
    const refused = await airdock(host, at('install', releases.path('1.1.0'), '--allow-downgrade', '--yes'));
    expect(refused).toMatchObject({ exitCode: 5, json: { code: 'DOWNGRADE_REFUSED' } });
    expect(refused.json['hint']).toContain('airdock rollback 1.1.0 --restore-database');
    expect(await answering(host, directory)).toBe('2.0.0');
    expect(await containerIds(host, directory)).toEqual(before);
  });

  test('back without --restore-database: refused, and it says what comes back, what is left aside, what to type', async () => {
    await psql(
      host,
      directory,
      'pad',
      `INSERT INTO members (name, quota) SELECT 'later ' || i, '1 GiB' FROM generate_series(1, 5) i;
       UPDATE members SET name = name || ' (moved)' WHERE id IN (SELECT id FROM members ORDER BY id LIMIT 3);
       UPDATE members SET quota = '7 GiB' WHERE id IN (SELECT id FROM members ORDER BY id OFFSET 10 LIMIT 4);
       DELETE FROM members WHERE id IN (SELECT id FROM members ORDER BY id OFFSET 20 LIMIT 2);
       UPDATE notes SET pinned = NOT pinned WHERE id IN (SELECT id FROM notes ORDER BY id LIMIT 6);
       DELETE FROM notes WHERE id IN (SELECT id FROM notes ORDER BY id OFFSET 10 LIMIT 4)`,
    );
    const refused = await airdock(host, at('rollback', '1.1.0', '--yes'));
    expect(refused).toMatchObject({ exitCode: 2, json: { code: 'RESTORE_DATABASE_NEEDED' } });
    expect(refused.json['hint']).toContain('airdock rollback 1.1.0 --restore-database');
    expect(refused.json['message']).toMatch(/comes back +the database of 1\.1\.0, kept since .* UTC, by a rename/);
    expect(refused.json['message']).toMatch(
      /kept aside +the current database, as pad_2_0_0_t4: it holds what was written in the /,
    );
    expect(refused.json['message']).toContain('members +5 ~3 -2');
    const { since } = refused.json['details'] as { since: unknown };
    expect(since).toContainEqual({ table: 'public.members', gained: 5, changed: 3, lost: 2 });
    expect(await databaseNames()).toEqual(['pad|t', 'pad_1_1_0_t3|f', 'postgres|t']);
    expect(await answering(host, directory)).toBe('2.0.0');
    expect(await containerIds(host, directory)).toMatchObject({ api: expect.any(String) as string });
  });

  test('back: the kept database is live again, today’s is kept, its rows are counted; forward again the same way', async () => {
    const older = await notes('pad_1_1_0_t3');
    const writer = await writing();
    const back = await airdock(host, at('rollback', '1.1.0', '--restore-database', '--yes'));
    expect(back.exitCode, back.stdout + back.stderr).toBe(0);
    const then = writer.acknowledged.length;
    await expect.poll(() => writer.acknowledged.length, { timeout: 180_000 }).toBeGreaterThan(then);
    acknowledged.push(...(await writer.stop()));
    expect(await answering(host, directory)).toBe('1.1.0');
    expect(await status()).toMatchObject({ current: '1.1.0', schemaRelease: '1.1.0', drift: [], interrupted: null });
    expect(await databaseNames()).toEqual(['pad|t', 'pad_2_0_0_t4|f', 'postgres|t']);
    const newer = await notes('pad_2_0_0_t4');
    const leftAside = back.json['leftAside'];
    expect(leftAside).toContainEqual({ table: 'public.members', gained: 5, changed: 3, lost: 2 });
    expect(leftAside).toContainEqual({
      table: 'public.notes',
      gained: [...newer.keys()].filter((id) => !older.has(id)).length,
      changed: [...newer].filter(([id, row]) => (older.get(id) ?? row) !== row).length,
      lost: [...older.keys()].filter((id) => !newer.has(id)).length,
    });
    const report = await readFile(join(directory, '.airdock/transactions/4/report.txt'), 'utf8');
    expect(report).toMatch(/left aside in pad_2_0_0_t4, compared with the database that came back:\n(.*\n)*.*members \+5 ~3 -2/);
    expect(existsSync(join(directory, '.airdock/scratch-rows'))).toBe(false);
    const both = new Set([...(await titles('pad')), ...(await titles('pad_2_0_0_t4'))]);
    expect(acknowledged.filter((title) => !both.has(title))).toEqual([]);

    const forward = await airdock(host, at('rollback', '2.0.0', '--restore-database', '--yes'));
    expect(forward.exitCode, forward.stdout + forward.stderr).toBe(0);
    expect(forward.json['leftAside']).toContainEqual({ table: 'public.members', gained: 2, changed: 3, lost: 5 });
    expect(await answering(host, directory)).toBe('2.0.0');
    expect(await databaseNames()).toEqual(['pad|t', 'pad_1_1_0_t5|f', 'postgres|t']);
    const all = new Set([...(await titles('pad')), ...(await titles('pad_1_1_0_t5'))]);
    expect(acknowledged.filter((title) => !all.has(title))).toEqual([]);
    expect(await status()).toMatchObject({ current: '2.0.0', schemaRelease: '2.0.0', drift: [], interrupted: null });
    expect(await containerIds(host, directory)).toMatchObject({ db: ids['db'], redis: ids['redis'] });
  });
});

describe('from a backup', () => {
  test('restore: what was deleted is back, what was live is kept; a backup of another schema is refused', async () => {
    await upgradedState(host);
    const made = await airdock(host, at('backup', 'create'));
    const { id } = made.json['backup'] as { id: string };
    const [oldest = ''] = ((await airdock(host, at('backup', 'list'))).json['backups'] as { id: string }[]).map((one) => one.id);
    const rows = await fingerprint(host, directory);
    const oid = await psql(host, directory, 'postgres', `SELECT oid FROM pg_database WHERE datname = 'pad'`);
    // of 1.0.0, before 1.1.0 had added its column
    expect(await airdock(host, at('backup', 'restore', oldest, '--yes'))).toMatchObject({
      exitCode: 5,
      json: { code: 'ROLLBACK_REFUSED' },
    });
    await psql(host, directory, 'pad', 'DELETE FROM notes');
    const restored = await airdock(host, at('backup', 'restore', id, '--yes'));
    expect(restored.exitCode, restored.stdout).toBe(0);
    const keptAs = 'pad_1_1_0_t3';
    expect(restored.json).toMatchObject({ current: '1.1.0', keptAs, backup: { id, state: 'proven' } });
    expect(await fingerprint(host, directory)).toBe(rows);
    expect(await answering(host, directory)).toBe('1.1.0');
    expect(await psql(host, directory, 'postgres', `SELECT datname FROM pg_database WHERE oid = ${oid}`)).toBe(keptAs);
    expect(await databaseNames()).toEqual(['pad|t', `${keptAs}|f`, 'postgres|t']);
  });

  test.each(cases([], ['no database is kept']))('a rollback takes the backup where %s', async () => {
    await upgradedState(host);
    const rows = await fingerprint(host, directory);
    expect((await airdock(host, at('install', releases.path('2.0.0'), '--yes', '--no-rehearsal'))).exitCode).toBe(0);
    // its record and itself: as if the server were a new one
    const [gone] = await kept();
    await psql(host, directory, 'postgres', `DROP DATABASE "${gone?.name ?? ''}"`);
    const records = new DatabaseSync(join(directory, '.airdock/state.db'));
    records.exec('DELETE FROM kept_databases');
    records.close();
    const asked = await airdock(host, at('rollback', '1.1.0', '--yes'));
    expect(asked).toMatchObject({ exitCode: 2, json: { code: 'RESTORE_DATABASE_NEEDED' } });
    const back = await airdock(host, at('rollback', '1.1.0', '--restore-database', '--yes'));
    expect(back.exitCode, back.stdout).toBe(0);
    expect(await answering(host, directory)).toBe('1.1.0');
    expect(await fingerprint(host, directory)).toBe(rows);
    expect(await databaseNames()).toEqual(['pad|t', 'pad_2_0_0_t4|f', 'postgres|t']);
  });
});

test('2.0.1 never becomes healthy: swapped back before traffic opened, no acknowledged write lost', async () => {
  await upgradedState(host);
  const oid = await psql(host, directory, 'postgres', `SELECT oid FROM pg_database WHERE datname = 'pad'`);
  const writer = await writing();
  const failed = await airdock(host, at('install', releases.path('2.0.1'), '--yes', '--no-rehearsal'));
  expect(failed).toMatchObject({
    exitCode: 6,
    json: { code: 'HEALTH_FAILED', details: { outcome: 'rolled-back', serving: '1.1.0' } },
  });
  const then = writer.acknowledged.length;
  await expect.poll(() => writer.acknowledged.length, { timeout: 180_000 }).toBeGreaterThan(then);
  const acknowledged = await writer.stop();
  const live = await titles('pad');
  expect(acknowledged.filter((title) => !live.has(title))).toEqual([]);
  expect(await answering(host, directory)).toBe('1.1.0');
  expect(await psql(host, directory, 'postgres', `SELECT oid FROM pg_database WHERE datname = 'pad'`)).toBe(oid);
  expect(await databaseNames()).toEqual(['pad|t', 'postgres|t']);
  expect(await status()).toMatchObject({
    current: '1.1.0',
    schemaRelease: '1.1.0',
    phase: 'good',
    drift: [],
    interrupted: null,
    keptDatabases: [],
  });
});
