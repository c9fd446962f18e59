// Backups of a running deployment, proven on a throwaway server; migrations rehearsed there before the live database sees
// them. Whatever happens to that server, production does not notice.
import { existsSync } from 'node:fs';
import { appendFile, readdir, readFile, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { airdock, executable } from '../helpers/airdock.ts';
import { cases } from '../helpers/faults.ts';
import { type Host, startHost } from '../helpers/host.ts';
import { answering, containerIds, opt } from '../helpers/deployment.ts';
import { fingerprint, installedState, seed, sql, upgradedState } from '../helpers/pad.ts';
import { pad, padBundles, variant } from '../helpers/releases.ts';
import { runName } from '../helpers/run-folder.ts';
import { expectUntouched, watched } from '../helpers/serving.ts';

const directory = opt('pad');
let host: Host;
let releases: Awaited<ReturnType<typeof padBundles>>;
beforeAll(async () => {
  releases = await padBundles('1.0.0', '1.1.0', '1.1.1');
  host = await startHost({ name: runName('vm') });
});
afterAll(() => host?.stop());

const backup = (...args: string[]) => airdock(host, ['backup', ...args, '--dir', directory]);
type Entry = { id: string; state: string };
const listed = async (): Promise<string[]> =>
  ((await backup('list')).json['backups'] as Entry[]).map(({ id, state }) => `${id.slice(9)} ${state}`);
const newest = async (): Promise<string> => ((await backup('list')).json['backups'] as Entry[]).at(-1)?.id ?? '';

/** All of production and of the engine, but for what a backup adds to its folder. */
const look = async () => ({
  rows: await fingerprint(host, directory),
  ids: await containerIds(host, directory),
  containers: await host.docker('ps', '-aq', '--no-trunc'),
  networks: await host.docker('network', 'ls', '-q', '--no-trunc'),
  volumes: await host.docker('volume', 'ls', '-q'),
  databases: await sql(host, directory, 'SELECT string_agg(datname, $$,$$ ORDER BY datname) FROM pg_database'),
  sessions: await sql(host, directory, `SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'airdock%'`),
  scratch: existsSync(join(directory, '.airdock/scratch')),
  half: (await readdir(join(directory, '.airdock/backups')).catch(() => [])).filter((name) => name.endsWith('.unfinished')),
  env: await readFile(join(directory, '.env'), 'utf8'),
  compose: await readFile(join(directory, 'compose.yaml'), 'utf8'),
});
let before: Awaited<ReturnType<typeof look>>;

describe('airdock backup', () => {
  beforeAll(() => installedState(host));
  beforeEach(async () => {
    before = await look();
  });
  afterEach(async () => {
    expect(await look()).toEqual(before);
    expect(await answering(host, directory)).toBe('1.0.0');
  });

  test('create, verify, list; the old version answers all the while, and status tells', async () => {
    expect((await backup('list')).json['backups']).toEqual([]);
    const { result: made, seen } = await watched(host, directory, () => backup('create'));
    expect(made).toMatchObject({ exitCode: 0, json: { backup: { state: 'unproven', release: '1.0.0', database: 'pad' } } });
    expectUntouched(seen, '1.0.0');
    expect(await listed()).toEqual(['1 unproven']);
    const { result: proven, seen: meanwhile } = await watched(host, directory, () => backup('verify'));
    expect(proven).toMatchObject({ exitCode: 0, json: { backup: { state: 'proven', provenAt: expect.any(String) as string } } });
    expectUntouched(meanwhile, '1.0.0');
    const rows = Number(await sql(host, directory, 'SELECT count(*) FROM notes'));
    expect(proven.json['rows']).toBeGreaterThan(rows);
    expect(await listed()).toEqual(['1 proven']);
    const { json: status } = await airdock(host, ['status', '--dir', directory]);
    expect(status['backups']).toEqual((await backup('list')).json['backups']);
  });

  test('an unknown one, and no deployment', async () => {
    expect(await backup('verify', '20200101-1')).toMatchObject({ exitCode: 2, json: { code: 'FILE_NOT_FOUND' } });
    const elsewhere = ['backup', 'create', '--dir', opt('nothing-here')];
    expect(await airdock(host, elsewhere)).toMatchObject({ exitCode: 5, json: { code: 'NOT_A_DEPLOYMENT' } });
    expect(existsSync(opt('nothing-here'))).toBe(false);
  });

  test('one flipped bit: damaged, and said so from then on', async () => {
    await backup('create');
    const id = await newest();
    const dump = join(directory, '.airdock/backups', id, 'dump');
    const bytes = await readFile(dump);
    bytes.writeUInt8(bytes.readUInt8(bytes.length >> 1) ^ 1, bytes.length >> 1);
    await writeFile(dump, bytes);
    expect(await backup('verify', id)).toMatchObject({ exitCode: 6, json: { code: 'BACKUP_DAMAGED', details: { backup: id } } });
    expect(await listed()).toEqual(['1 proven', '2 damaged']);
  });

  test('prune keeps the last that is proven, whatever its age', async () => {
    await backup('create');
    await backup('create');
    expect(await listed()).toEqual(['1 proven', '2 damaged', '3 unproven', '4 unproven']);
    const pruned = await backup('prune', '--keep', '1');
    expect((pruned.json['removed'] as string[]).map((id) => id.slice(9))).toEqual(['2', '3']);
    expect(await listed()).toEqual(['1 proven', '4 unproven']);
    expect(await backup('prune', '--keep', '0')).toMatchObject({ exitCode: 2, json: { code: 'USAGE' } });
  });

  /** SIGKILL once `when` is true; the next command that changes something finds no trace of it. */
  const killed = async (args: string[], when: () => Promise<boolean>) => {
    const child = host.spawn([await executable(), 'backup', ...args, '--dir', directory], { stdio: 'ignore' });
    const exited = once(child, 'exit');
    while (!(await when())) await sleep(50);
    process.kill(child.pid ?? 0, 'SIGKILL');
    expect((await exited)[1]).toBe('SIGKILL');
    expect((await airdock(host, ['resume', '--dir', directory])).exitCode).toBe(0);
  };
  const scratch = (more: string) => async () =>
    (await host.docker('ps', '-aq', '--filter', 'label=airdock.scratch', ...more.split(' ').filter(Boolean))) !== '';

  test.each(
    cases(
      [],
      [
        ['its server runs', scratch('--filter status=running')],
        ['its folder is there', async () => existsSync(join(directory, '.airdock/scratch'))],
        ['its container is made', scratch('')],
      ],
    ),
  )('verify killed when %s: the throwaway server is removed', async (_what, when) => {
    await killed(['verify'], when);
    expect(await listed()).toEqual(['1 proven', '4 unproven']);
  });

  test.each(cases([], ['create']))(
    '%s killed in the middle of the dump: neither its files nor its sessions are left',
    async () => {
      const { db = '' } = await containerIds(host, directory);
      const hold = ['docker', 'exec', '-i', db, 'psql', '-U', 'pad', 'pad'];
      const input = 'BEGIN; LOCK TABLE notes IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(600);';
      const holding = host.exec(hold, { input, env: { PGAPPNAME: 'holder' } });
      const waiting = `SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'airdock%' AND wait_event_type = 'Lock'`;
      await killed(['create'], async () => (await sql(host, directory, waiting)) !== '0');
      await sql(
        host,
        directory,
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid()`,
      );
      await holding;
      expect(await listed()).toEqual(['1 proven', '4 unproven']);
    },
  );
});

describe('the rehearsal', () => {
  const upgrade = (bundle: string) => airdock(host, ['install', bundle, '--dir', directory, '--yes']);

  test('1.1.1 is stopped by it: the migration and the database’s own words are named, the old version answered every request', async () => {
    await installedState(host);
    await seed(host, directory, { rows: 10, duplicateSlugs: 3 });
    before = await look();
    const { result, seen } = await watched(host, directory, () => upgrade(releases.path('1.1.1')));
    expect(result).toMatchObject({
      exitCode: 6,
      json: {
        code: 'MIGRATION_FAILED',
        details: {
          rehearsal: true,
          migration: '003_unique_slug',
          outcome: 'undone',
          serving: '1.0.0',
          backup: expect.any(String) as string,
        },
      },
    });
    for (const words of ['003_unique_slug', 'on a copy of your data', 'meeting-2024', '1.0.0 is serving, untouched', 'was kept'])
      expect(result.json['message']).toContain(words);
    const { log } = result.json['details'] as { log: string };
    expect(await readFile(log, 'utf8')).toContain('Applying 002_note_pinned... OK');
    expectUntouched(seen, '1.0.0');
    expect(await look()).toEqual(before);
    // not even the part that would have worked was applied
    expect(await sql(host, directory, "SELECT count(*) FROM information_schema.columns WHERE column_name = 'pinned'")).toBe('0');
    expect(await listed()).toEqual(['1 proven']);
    const { json } = await airdock(host, ['history', '--dir', directory]);
    expect((json['history'] as unknown[]).at(-1)).toMatchObject({ outcome: 'undone', rehearsed: true, backupState: 'proven' });
    expect((await airdock(host, ['status', '--dir', directory])).json).toMatchObject({
      schemaRelease: '1.0.0',
      drift: [],
      interrupted: null,
    });
  });

  test.each(cases([], ['2.0.2']))('%s, across an irreversible migration, is stopped by it before anything is', async () => {
    await padBundles('2.0.2');
    await upgradedState(host);
    await seed(host, directory, { rows: 10, duplicateMembers: 3 });
    before = await look();
    const { result, seen } = await watched(host, directory, () => upgrade(releases.path('2.0.2')));
    expect(result).toMatchObject({
      exitCode: 6,
      json: {
        code: 'MIGRATION_FAILED',
        details: { rehearsal: true, migration: '005_unique_member_name', serving: '1.1.0' },
      },
    });
    expectUntouched(seen, '1.1.0');
    expect(await look()).toEqual(before);
    expect(result.events.some((event) => event.type === 'step-started' && event.step === 'quiesce')).toBe(false);
  });

  test.each(cases([], ['a release that changes no schema']))('%s: the backup is proven, nothing is migrated', async () => {
    await installedState(host);
    const same = await variant('no-schema', '1.1.0', [{ file: 'bundle.config.ts', from: /\{ version: '1.1.0'.*\n/, to: '\n' }], {
      product: pad,
    });
    const result = await upgrade(same);
    expect(result, result.stdout).toMatchObject({ exitCode: 0, json: { class: 'none', current: '1.1.0' } });
    const step = result.events.find((event) => event.type === 'step-ended' && event.step === 'rehearse');
    expect(step).toMatchObject({ summary: expect.stringContaining('changes no schema') as string });
    expect(await listed()).toEqual(['1 proven']);
  });

  test('reaches nothing of production: no name, no address, no variable that was not declared', async () => {
    // tries everything, says what it reached, and fails, so that what it printed can be read
    const probe = [
      'reach() { if timeout 4 bash -c "exec 3<>/dev/tcp/$1/$2" 2>/dev/null; then echo true; else echo false; fi; }',
      'set -- $(getent hosts "$(cat /etc/hostname)"); own=${1%.*}',
      'for target in $TARGETS; do echo "PROBE reached $target $(reach "${target%:*}" "${target##*:}")"; done',
      'for port in 22 8090; do echo "PROBE gateway $port $(reach "$own.1" "$port")"; done',
      'for name in $NAMES; do set -- $(getent hosts "$name"); echo "PROBE name $name ${1:-null}"; done',
      'for name in $(compgen -e); do echo "PROBE variable $name"; done',
      'exit 1',
    ].join('; ');
    const changes = [
      { file: 'bundle.config.ts', from: `['migrate']`, to: `['bash', '-c', '${probe}']` },
      {
        file: 'bundle.config.ts',
        from: `PGHOST: 'db',`,
        to: `PGHOST: 'db', TARGETS: '\${PROBE_TARGETS}', NAMES: '\${PROBE_NAMES}',`,
      },
      { file: 'bundle.config.ts', from: 'dependencies: [],', to: `dependencies: ['redis'],` },
    ];
    const nosy = await variant('nosy', '1.1.0', changes, { product: pad });
    await installedState(host);
    const format = '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{.Gateway}}{{end}}';
    const ids = await containerIds(host, directory);
    const [db = '', gateway = ''] = (await host.docker('inspect', '-f', format, ids['db'] ?? '')).trim().split(' ');
    const [redis = ''] = (await host.docker('inspect', '-f', format, ids['redis'] ?? '')).trim().split(' ');
    const [api = ''] = (await host.docker('inspect', '-f', format, ids['api'] ?? '')).trim().split(' ');
    const production = [`${db}:5432`, `${redis}:6379`, `${api}:8000`, `${gateway}:8090`];
    const names = ['api', 'web', 'example.com', 'pad-redis-1', 'pad-db-1'];
    const asked = { TARGETS: [...production, 'db:5432', 'redis:6379'].join(' '), NAMES: ['db', 'redis', ...names].join(' ') };
    await appendFile(join(directory, '.env'), `PROBE_TARGETS=${asked.TARGETS}\nPROBE_NAMES=${asked.NAMES}\n`);

    /** The words behind `PROBE KIND` of each line. */
    const probed = (text: string) => {
      const of = (kind: string) =>
        [...text.matchAll(new RegExp(`PROBE ${kind} (.*)$`, 'gm'))].map((line) => (line[1] ?? '').split(' ') as [string, string]);
      const entries = (kind: string) => Object.fromEntries(of(kind));
      return {
        reached: entries('reached'),
        gateway: entries('gateway'),
        names: entries('name'),
        variables: of('variable').flat(),
      };
    };
    // the same program beside production reaches all of it
    const inside = ['docker', 'exec', '-e', `TARGETS=${asked.TARGETS}`, '-e', `NAMES=${asked.NAMES}`, ids['api'] ?? ''];
    const control = probed((await host.exec([...inside, 'bash', '-c', probe])).stdout);
    expect(control.reached).toEqual(
      Object.fromEntries([...production, 'db:5432', 'redis:6379'].map((target) => [target, 'true'])),
    );
    expect(control.gateway['8090']).toBe('true');

    const result = await upgrade(nosy);
    expect(result).toMatchObject({
      exitCode: 6,
      json: { code: 'MIGRATION_FAILED', details: { rehearsal: true, serving: '1.0.0' } },
    });
    const { log } = result.json['details'] as { log: string };
    const found = probed(await readFile(log, 'utf8'));
    expect(found.reached).toEqual({
      ...Object.fromEntries(production.map((target) => [target, 'false'])),
      'db:5432': 'true', // the copy
      'redis:6379': 'true', // a throwaway one
    });
    expect(found.gateway).toEqual({ 22: 'false', 8090: 'false' });
    expect(found.names['db']).not.toBe(db);
    expect(found.names['redis']).not.toBe(redis);
    expect(Object.fromEntries(names.map((name) => [name, found.names[name]]))).toMatchObject({
      web: 'null',
      'example.com': 'null',
      'pad-redis-1': 'null',
      'pad-db-1': 'null',
    });
    for (const variable of ['PAD_SECRET_KEY', 'PAD_REDIS_URL', 'PAD_TITLE']) expect(found.variables).not.toContain(variable);
    expect(found.variables).toEqual(expect.arrayContaining(['PGAPPNAME', 'PGDATABASE', 'PGHOST', 'PGPASSWORD', 'PGUSER']));
    expect(await host.docker('ps', '-aq', '--filter', 'label=airdock.scratch')).toBe('');
  });
});
