// A database that no service of the deployment is: named by a URL in .env, reached by the tools of the bundled image.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { airdock } from '../helpers/airdock.ts';
import { cases } from '../helpers/faults.ts';
import { startHost, type Host } from '../helpers/host.ts';
import { answering, baseState, containerIds, healthy, opt, succeed, urlOf } from '../helpers/deployment.ts';
import { installedState, seed, sql } from '../helpers/nodepad.ts';
import { bundles } from '../helpers/releases.ts';
import { runName } from '../helpers/run-folder.ts';
import { expectUntouched, watched } from '../helpers/serving.ts';
import { startWriter } from '../helpers/writer.ts';

const directory = opt();
const env = join(directory, '.env');
const server = 'elsewhere';
const [user, password, name] = ['app@site', 'p/w:%d', 'Notes db'];
let host: Host;
let releases: Awaited<ReturnType<typeof bundles>>;
let url: string;

/** In the container of that server, as its superuser. */
const there = async (database: string, statement: string): Promise<string> =>
  (await host.docker('exec', server, 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-U', 'root', '-c', statement, database)).trim();
const at = (...args: string[]) => airdock(host, [...args, '--dir', directory]);
const upgrade = (version: string, ...flags: string[]) => at('install', releases.path(version), '--yes', ...flags);
const databaseNames = async () =>
  (
    await there(
      'postgres',
      `SELECT datname FROM pg_database WHERE datname NOT IN ('postgres', 'template0', 'template1', 'root') ORDER BY 1`,
    )
  ).split('\n');
const leftBehind = () => host.docker('ps', '-aq', '--filter', 'label=airdock.tool', '--filter', 'label=airdock.scratch');

/** NodePad on a server of its own, which only its network's gateway leads to; its user is no superuser. */
async function elsewhereState(): Promise<void> {
  await baseState(host, 'elsewhere-0.2.4', [directory], async () => {
    await installedState(host);
    const image = (
      await host.docker('inspect', '-f', '{{.Config.Image}}', (await containerIds(host, directory))['db'] ?? '')
    ).trim();
    const flags = ['-e', 'POSTGRES_USER=root', '-e', 'POSTGRES_PASSWORD=root', '--restart', 'always', '-p', '5433:5432'];
    await host.docker('run', '-d', '--name', server, ...flags, image);
    // over TCP: while the data directory is made, the server listens on its socket only
    await vi.waitFor(() => host.docker('exec', server, 'pg_isready', '-h', '127.0.0.1'), { timeout: 300_000, interval: 200 });
    await there('postgres', `CREATE ROLE "${user}" LOGIN CREATEDB PASSWORD '${password}'`);
    await there('postgres', `CREATE DATABASE "${name}" OWNER "${user}"`);
    await writeFile(
      env,
      (await readFile(env, 'utf8')).replace(/^NODEPAD_DATABASE_URL=.*$/m, `NODEPAD_DATABASE_URL=${await urlHere()}`),
    );
    await host.compose(directory, 'up', '-d');
    await healthy(host, directory, '0.2.4');
    await seed(host, directory, { rows: 200 });
  });
  url = await urlHere();
}

async function urlHere(): Promise<string> {
  const gateway = (
    await host.docker('network', 'inspect', '-f', '{{range .IPAM.Config}}{{.Gateway}}{{end}}', 'nodepad_default')
  ).trim();
  return `postgresql://${[user, password].map(encodeURIComponent).join(':')}@${gateway}:5433/${encodeURIComponent(name)}`;
}

beforeAll(async () => {
  releases = await bundles('0.2.4', '0.3.0', '0.4.0');
  host = await startHost({ name: runName('vm') });
});
afterAll(() => host?.stop());

describe('0.2.4 -> 0.3.0 -> 0.4.0 and back', () => {
  let idle: string;
  beforeAll(async () => {
    await elsewhereState();
    idle = await sql(host, directory, 'SELECT count(*) FROM notes');
  });

  test('expand: backed up, proven, rehearsed on a copy, migrated there; the idle service is left alone', async () => {
    const rows = await there(name, 'SELECT count(*) FROM notes');
    expect(rows).not.toBe(idle);
    const plan = await at('plan', releases.path('0.3.0'));
    expect(plan).toMatchObject({
      exitCode: 0,
      json: { findings: [], database: { name, server: expect.stringContaining('PostgreSQL 15') as string } },
    });
    expect((plan.json['database'] as { service: string }).service).toMatch(/^[\d.]+:5433$/);
    expect(plan.stdout + plan.stderr).not.toContain('p%2Fw');
    const done = await upgrade('0.3.0');
    expect(done.exitCode, done.stdout + done.stderr).toBe(0);
    expect(await answering(host, directory)).toBe('0.3.0');
    const rehearsed = done.events.find((event) => event.type === 'step-ended' && event.step === 'rehearse');
    expect(rehearsed).toMatchObject({ summary: expect.stringMatching(/proven in .*\n\+ notes\.pinned boolean/s) as string });
    expect(await there(name, 'SELECT count(pinned) FROM notes')).toBe(rows);
    expect(await sql(host, directory, `SELECT count(*) FROM information_schema.columns WHERE column_name = 'pinned'`)).toBe('0');
    expect((await at('status')).json).toMatchObject({
      current: '0.3.0',
      drift: [],
      backups: [expect.objectContaining({ state: 'proven', database: name })],
    });
    expect(await leftBehind()).toBe('');
  });

  // minutes each: every program of PostgreSQL runs in a container of its own
  test.each(cases([], ['irreversible']))('%s, with a writer all the while, and back', async () => {
    const writer = await startWriter(host, await urlOf(directory, 'notes'));
    const acknowledged: string[] = [];
    const done = await upgrade('0.4.0', '--no-rehearsal');
    expect(done.exitCode, done.stdout + done.stderr).toBe(0);
    expect(await answering(host, directory)).toBe('0.4.0');
    expect(await databaseNames()).toEqual([name, `${name}_0_3_0_t3`]);
    const back = await at('rollback', '0.3.0', '--restore-database', '--yes');
    expect(back.exitCode, back.stdout + back.stderr).toBe(0);
    acknowledged.push(...(await writer.stop()));
    expect(await answering(host, directory)).toBe('0.3.0');
    expect(await databaseNames()).toEqual([name, `${name}_0_4_0_t4`]);
    await there('postgres', `ALTER DATABASE "${name}_0_4_0_t4" ALLOW_CONNECTIONS true`);
    const kept = new Set(
      (await Promise.all([name, `${name}_0_4_0_t4`].map((one) => there(one, 'SELECT title FROM notes')))).join('\n').split('\n'),
    );
    expect(acknowledged.length).toBeGreaterThan(0);
    expect(acknowledged.filter((title) => !kept.has(title))).toEqual([]);
    expect(await leftBehind()).toBe('');
  });

  test.each(cases([], ['restore']))('%s: what was deleted is back', async () => {
    const rows = await there(name, 'SELECT count(*) FROM notes');
    const made = await succeed(host, ['backup', 'create', '--dir', directory]);
    await there(name, 'DELETE FROM attachments; DELETE FROM notes');
    const restored = await at('backup', 'restore', (made.json['backup'] as { id: string }).id, '--yes');
    expect(restored.exitCode, restored.stdout).toBe(0);
    expect(await there(name, 'SELECT count(*) FROM notes')).toBe(rows);
    expect(await answering(host, directory)).toBe('0.3.0');
  });
});

describe('refused, and nothing is touched', () => {
  beforeAll(() => elsewhereState());
  test.each([
    ['another password', 'DATABASE_AUTH', (was: string) => was.replace('%25d', 'wrong')],
    ['another port', 'DATABASE_UNREACHABLE', (was: string) => was.replace(':5433', ':5434')],
    ['a parameter that cannot be honoured', 'ENV_INVALID', (was: string) => `${was}?sslrootcert=/ca.pem`],
  ])('%s: %s', async (_what, code, change) => {
    const before = { ids: await containerIds(host, directory), names: await databaseNames() };
    const text = await readFile(env, 'utf8');
    await writeFile(env, text.replace(url, change(url)));
    const { result, seen } = await watched(host, directory, () => upgrade('0.3.0'));
    await writeFile(env, text);
    expect(result).toMatchObject({ exitCode: 5, json: { code } });
    expect(JSON.stringify(result.json) + result.stderr).not.toContain('p%2Fw');
    expectUntouched(seen, '0.2.4');
    expect({ ids: await containerIds(host, directory), names: await databaseNames() }).toEqual(before);
    expect(await leftBehind()).toBe('');
  });

  test('a role that may not create databases: expand goes, irreversible says what it needs', async () => {
    await there('postgres', `ALTER ROLE "${user}" NOCREATEDB`);
    const done = await upgrade('0.3.0', '--no-rehearsal');
    expect(done.exitCode, done.stdout).toBe(0);
    const stopped = await upgrade('0.4.0', '--no-rehearsal');
    expect(stopped).toMatchObject({ exitCode: 5 });
    expect(JSON.stringify(stopped.json)).toContain('DATABASE_RIGHTS');
    expect(await answering(host, directory)).toBe('0.3.0');
    expect(await databaseNames()).toEqual([name]);
  });
});
