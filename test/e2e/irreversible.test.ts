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
import { address, answering, containerIds, fingerprint, opt, psql, upgradedState } from '../helpers/nodepad.ts';
import { bundles } from '../helpers/releases.ts';
import { runName } from '../helpers/run-folder.ts';
import { startWriter } from '../helpers/writer.ts';

const directory = opt();
let host: Host;
let releases: Awaited<ReturnType<typeof bundles>>;
beforeAll(async () => {
  releases = await bundles('0.2.4', '0.3.0', '0.4.0', '0.4.2');
  host = await startHost({ name: runName('vm') });
});
afterAll(() => host?.stop());

const at = (...args: string[]): string[] => [...args, '--dir', directory];
const status = async () => (await airdock(host, at('status'))).json;
const kept = async () => (await status())['keptDatabases'] as { name: string; release: string; backup: string | null }[];
const writing = async () => startWriter(host, `${await address(directory)}/api/notes`);

/** The lines of an answer of that database; a kept one is opened for the look. */
async function ask(database: string, query: string): Promise<string[]> {
  const open = (is: boolean) => psql(host, directory, 'postgres', `ALTER DATABASE "${database}" ALLOW_CONNECTIONS ${is}`);
  const live = database === 'nodepad';
  if (!live) await open(true);
  const rows = await psql(host, directory, database, query);
  if (!live) await open(false);
  return rows.split('\n');
}
const titles = async (database: string) => new Set(await ask(database, 'SELECT title FROM notes'));
/** Notes by id, over the columns that 0.3.0 and 0.4.0 have. */
async function notes(database: string): Promise<Map<string, string>> {
  const rows = await ask(database, "SELECT id || ' ' || md5(row(number, title, slug, body, created, pinned)::text) FROM notes");
  return new Map(rows.map((row) => row.split(' ') as [string, string]));
}
const databaseNames = async () =>
  (
    await psql(host, directory, 'postgres', 'SELECT datname, datallowconn FROM pg_database WHERE NOT datistemplate ORDER BY 1')
  ).split('\n');

describe('0.3.0 -> 0.4.0 and back', () => {
  const acknowledged: string[] = [];
  let ids: Record<string, string>;
  beforeAll(async () => {
    await upgradedState(host);
    ids = await containerIds(host, directory);
  });

  test('forward: the old version serves until it is quiesced; what was acknowledged is there; the old database is kept, dumped', async () => {
    const plan = await airdock(host, at('plan', releases.path('0.4.0')));
    expect(plan).toMatchObject({ exitCode: 0, json: { class: 'irreversible', findings: [] } });
    expect(plan.json['rollback']).toContain('airdock rollback 0.3.0 --restore-database');
    const writer = await writing();
    const done = await airdock(host, at('install', releases.path('0.4.0'), '--yes'));
    expect(done.exitCode, done.stdout + done.stderr).toBe(0);
    const before = writer.acknowledged.length;
    await expect.poll(() => writer.acknowledged.length, { timeout: 180_000 }).toBeGreaterThan(before);
    acknowledged.push(...(await writer.stop()));
    expect(await answering(host, directory)).toBe('0.4.0');
    const live = await titles('nodepad');
    expect(acknowledged.filter((title) => !live.has(title))).toEqual([]);
    expect(await status()).toMatchObject({
      current: '0.4.0',
      schemaRelease: '0.4.0',
      phase: 'good',
      drift: [],
      interrupted: null,
    });
    const { json: list } = await airdock(host, at('backup', 'list'));
    expect((list['backups'] as { database: string; state: string }[]).map(({ database, state }) => [database, state])).toEqual([
      ['nodepad', 'unproven'], // 0.2.4 -> 0.3.0 of the base state, without a rehearsal
      ['nodepad', 'proven'],
      ['nodepad_0_3_0_t3', 'proven'],
    ]);
    expect(await kept()).toEqual([
      expect.objectContaining({
        name: 'nodepad_0_3_0_t3',
        release: '0.3.0',
        backup: expect.stringMatching(/^\d{8}-\d+$/) as string,
      }),
    ]);
    expect(await databaseNames()).toEqual(['nodepad|t', 'nodepad_0_3_0_t3|f', 'postgres|t']);
    expect(await containerIds(host, directory)).toMatchObject({ db: ids['db'], redis: ids['redis'] });
    const dump = join(directory, '.airdock/backups', (await kept())[0]?.backup ?? '', 'metadata.json');
    expect(JSON.parse(await readFile(dump, 'utf8'))).toMatchObject({ database: 'nodepad_0_3_0_t3', release: '0.3.0' });
  });

  test('back by install --allow-downgrade: refused, old code never meets the new schema', async () => {
    const before = await containerIds(host, directory);
    const refused = await airdock(host, at('install', releases.path('0.3.0'), '--allow-downgrade', '--yes'));
    expect(refused).toMatchObject({ exitCode: 5, json: { code: 'DOWNGRADE_REFUSED' } });
    expect(refused.json['hint']).toContain('airdock rollback 0.3.0 --restore-database');
    expect(await answering(host, directory)).toBe('0.4.0');
    expect(await containerIds(host, directory)).toEqual(before);
  });

  test('back without --restore-database: refused, and it says what comes back, what is left aside, what to type', async () => {
    await psql(
      host,
      directory,
      'nodepad',
      `INSERT INTO members (name, quota) SELECT 'later ' || i, '1 GiB' FROM generate_series(1, 5) i;
       UPDATE members SET name = name || ' (moved)' WHERE id IN (SELECT id FROM members ORDER BY id LIMIT 3);
       UPDATE members SET quota = '7 GiB' WHERE id IN (SELECT id FROM members ORDER BY id OFFSET 10 LIMIT 4);
       DELETE FROM members WHERE id IN (SELECT id FROM members ORDER BY id OFFSET 20 LIMIT 2);
       UPDATE notes SET pinned = NOT pinned WHERE id IN (SELECT id FROM notes ORDER BY id LIMIT 6);
       DELETE FROM notes WHERE id IN (SELECT id FROM notes WHERE id NOT IN (SELECT note_id FROM attachments) ORDER BY id OFFSET 10 LIMIT 4)`,
    );
    const refused = await airdock(host, at('rollback', '0.3.0', '--yes'));
    expect(refused).toMatchObject({ exitCode: 2, json: { code: 'RESTORE_DATABASE_NEEDED' } });
    expect(refused.json['hint']).toContain('airdock rollback 0.3.0 --restore-database');
    expect(refused.json['message']).toMatch(/comes back +the database of 0\.3\.0, kept since .* UTC, by a rename/);
    expect(refused.json['message']).toMatch(
      /kept aside +the current database, as nodepad_0_4_0_t4: it holds what was written in the /,
    );
    expect(refused.json['message']).toContain('members +5 ~3 -2');
    const { since } = refused.json['details'] as { since: unknown };
    expect(since).toContainEqual({ table: 'public.members', gained: 5, changed: 3, lost: 2 });
    expect(await databaseNames()).toEqual(['nodepad|t', 'nodepad_0_3_0_t3|f', 'postgres|t']);
    expect(await answering(host, directory)).toBe('0.4.0');
    expect(await containerIds(host, directory)).toMatchObject({ api: expect.any(String) as string });
  });

  test('back: the kept database is live again, today’s is kept, its rows are counted; forward again the same way', async () => {
    const older = await notes('nodepad_0_3_0_t3');
    const writer = await writing();
    const back = await airdock(host, at('rollback', '0.3.0', '--restore-database', '--yes'));
    expect(back.exitCode, back.stdout + back.stderr).toBe(0);
    const then = writer.acknowledged.length;
    await expect.poll(() => writer.acknowledged.length, { timeout: 180_000 }).toBeGreaterThan(then);
    acknowledged.push(...(await writer.stop()));
    expect(await answering(host, directory)).toBe('0.3.0');
    expect(await status()).toMatchObject({ current: '0.3.0', schemaRelease: '0.3.0', drift: [], interrupted: null });
    expect(await databaseNames()).toEqual(['nodepad|t', 'nodepad_0_4_0_t4|f', 'postgres|t']);
    const newer = await notes('nodepad_0_4_0_t4');
    const leftAside = back.json['leftAside'];
    expect(leftAside).toContainEqual({ table: 'public.members', gained: 5, changed: 3, lost: 2 });
    expect(leftAside).toContainEqual({
      table: 'public.notes',
      gained: [...newer.keys()].filter((id) => !older.has(id)).length,
      changed: [...newer].filter(([id, row]) => (older.get(id) ?? row) !== row).length,
      lost: [...older.keys()].filter((id) => !newer.has(id)).length,
    });
    const report = await readFile(join(directory, '.airdock/transactions/4/report.txt'), 'utf8');
    expect(report).toMatch(
      /left aside in nodepad_0_4_0_t4, compared with the database that came back:\n(.*\n)*.*members \+5 ~3 -2/,
    );
    expect(existsSync(join(directory, '.airdock/scratch-rows'))).toBe(false);
    const both = new Set([...(await titles('nodepad')), ...(await titles('nodepad_0_4_0_t4'))]);
    expect(acknowledged.filter((title) => !both.has(title))).toEqual([]);

    const forward = await airdock(host, at('rollback', '0.4.0', '--restore-database', '--yes'));
    expect(forward.exitCode, forward.stdout + forward.stderr).toBe(0);
    expect(forward.json['leftAside']).toContainEqual({ table: 'public.members', gained: 2, changed: 3, lost: 5 });
    expect(await answering(host, directory)).toBe('0.4.0');
    expect(await databaseNames()).toEqual(['nodepad|t', 'nodepad_0_3_0_t5|f', 'postgres|t']);
    const all = new Set([...(await titles('nodepad')), ...(await titles('nodepad_0_3_0_t5'))]);
    expect(acknowledged.filter((title) => !all.has(title))).toEqual([]);
    expect(await status()).toMatchObject({ current: '0.4.0', schemaRelease: '0.4.0', drift: [], interrupted: null });
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
    const oid = await psql(host, directory, 'postgres', `SELECT oid FROM pg_database WHERE datname = 'nodepad'`);
    // of 0.2.4, before 0.3.0 had added its column
    expect(await airdock(host, at('backup', 'restore', oldest, '--yes'))).toMatchObject({
      exitCode: 5,
      json: { code: 'ROLLBACK_REFUSED' },
    });
    await psql(host, directory, 'nodepad', 'DELETE FROM attachments; DELETE FROM notes');
    const restored = await airdock(host, at('backup', 'restore', id, '--yes'));
    expect(restored.exitCode, restored.stdout).toBe(0);
    const keptAs = 'nodepad_0_3_0_t3';
    expect(restored.json).toMatchObject({ current: '0.3.0', keptAs, backup: { id, state: 'proven' } });
    expect(await fingerprint(host, directory)).toBe(rows);
    expect(await answering(host, directory)).toBe('0.3.0');
    expect(await psql(host, directory, 'postgres', `SELECT datname FROM pg_database WHERE oid = ${oid}`)).toBe(keptAs);
    expect(await databaseNames()).toEqual(['nodepad|t', `${keptAs}|f`, 'postgres|t']);
  });

  test.each(cases([], ['no database is kept']))('a rollback takes the backup where %s', async () => {
    await upgradedState(host);
    const rows = await fingerprint(host, directory);
    expect((await airdock(host, at('install', releases.path('0.4.0'), '--yes', '--no-rehearsal'))).exitCode).toBe(0);
    // its record and itself: as if the server were a new one
    const [gone] = await kept();
    await psql(host, directory, 'postgres', `DROP DATABASE "${gone?.name ?? ''}"`);
    const records = new DatabaseSync(join(directory, '.airdock/state.db'));
    records.exec('DELETE FROM kept_databases');
    records.close();
    const asked = await airdock(host, at('rollback', '0.3.0', '--yes'));
    expect(asked).toMatchObject({ exitCode: 2, json: { code: 'RESTORE_DATABASE_NEEDED' } });
    const back = await airdock(host, at('rollback', '0.3.0', '--restore-database', '--yes'));
    expect(back.exitCode, back.stdout).toBe(0);
    expect(await answering(host, directory)).toBe('0.3.0');
    expect(await fingerprint(host, directory)).toBe(rows);
    expect(await databaseNames()).toEqual(['nodepad|t', 'nodepad_0_4_0_t4|f', 'postgres|t']);
  });
});

test('0.4.2 never becomes healthy: swapped back before traffic opened, no acknowledged write lost', async () => {
  await upgradedState(host);
  const oid = await psql(host, directory, 'postgres', `SELECT oid FROM pg_database WHERE datname = 'nodepad'`);
  const writer = await writing();
  const failed = await airdock(host, at('install', releases.path('0.4.2'), '--yes', '--no-rehearsal'));
  expect(failed).toMatchObject({
    exitCode: 6,
    json: { code: 'HEALTH_FAILED', details: { outcome: 'rolled-back', serving: '0.3.0' } },
  });
  const then = writer.acknowledged.length;
  await expect.poll(() => writer.acknowledged.length, { timeout: 180_000 }).toBeGreaterThan(then);
  const acknowledged = await writer.stop();
  const live = await titles('nodepad');
  expect(acknowledged.filter((title) => !live.has(title))).toEqual([]);
  expect(await answering(host, directory)).toBe('0.3.0');
  expect(await psql(host, directory, 'postgres', `SELECT oid FROM pg_database WHERE datname = 'nodepad'`)).toBe(oid);
  expect(await databaseNames()).toEqual(['nodepad|t', 'postgres|t']);
  expect(await status()).toMatchObject({
    current: '0.3.0',
    schemaRelease: '0.3.0',
    phase: 'good',
    drift: [],
    interrupted: null,
    keptDatabases: [],
  });
});
