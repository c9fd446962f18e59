// pad on a host: NodePad's little brother (test/fixtures/pad), and the states that tests begin with.
import { baseState, firstInstall, opt, psql, succeed } from './deployment.ts';
import type { Host } from './host.ts';
import { padBundles } from './releases.ts';

type Ways = { port?: number; env?: Record<string, string> };

/** A first install by airdock. */
export async function installed(host: Host, version: string, directory: string, { port, env = {} }: Ways = {}): Promise<void> {
  const ports = port === undefined ? {} : { PAD_PORT: String(port) };
  await firstInstall(host, await padBundles(version), version, directory, { ...ports, ...env });
}

type Seed = { rows?: number; duplicateSlugs?: number; duplicateMembers?: number };

/** Notes and members, by SQL that the schema of every release takes. 1.1.1 fails on two equal slugs, 2.0.2 on two equal members. */
export async function seed(
  host: Host,
  directory: string,
  { rows = 2000, duplicateSlugs = 0, duplicateMembers = 0 }: Seed = {},
): Promise<void> {
  await sql(
    host,
    directory,
    `INSERT INTO notes (title, slug, body) SELECT 'note ' || i, 'note-' || gen_random_uuid(), repeat(md5(i::text), 20) FROM generate_series(1, ${rows}) i;
     INSERT INTO notes (title, slug) SELECT 'meeting ' || i, 'meeting-2024' FROM generate_series(1, ${duplicateSlugs}) i;
     INSERT INTO members (name) SELECT 'member ' || i FROM generate_series((SELECT count(*) FROM members) + 1, (SELECT count(*) FROM members) + 50) i;
     INSERT INTO members (name) SELECT 'the same' FROM generate_series(1, ${duplicateMembers}) i`,
  );
}

/** One statement in the deployment's database. */
export function sql(host: Host, directory: string, statement: string): Promise<string> {
  return psql(host, directory, 'pad', statement);
}

/** The same rows give the same text, over the columns that every release has; what the worker writes is left out. */
export async function fingerprint(host: Host, directory: string): Promise<string> {
  return sql(
    host,
    directory,
    `SELECT 'notes', count(*), md5(string_agg(row(id, title, body, created)::text, ',' ORDER BY id)) FROM notes
     UNION ALL SELECT 'members', count(*), md5(string_agg(row(id, name)::text, ',' ORDER BY id)) FROM members
     UNION ALL SELECT 'sequences', 0, string_agg(sequencename || last_value, ',' ORDER BY sequencename) FROM pg_sequences WHERE sequencename <> 'jobs_id_seq'`,
  );
}

/** Installed by airdock, with rows. */
export async function installedState(host: Host, version = '1.0.0', directory = opt('pad')): Promise<void> {
  await baseState(host, `pad-installed-${version}`, [directory], async () => {
    await installed(host, version, directory);
    await seed(host, directory);
  });
}

/** 1.0.0 installed, filled, and upgraded to 1.1.0. */
export async function upgradedState(host: Host, directory = opt('pad')): Promise<void> {
  await baseState(host, 'pad-upgraded-1.1.0', [directory], async () => {
    await installedState(host, '1.0.0', directory);
    const bundle = (await padBundles('1.1.0')).path('1.1.0');
    await succeed(host, ['install', bundle, '--dir', directory, '--yes', '--no-rehearsal']);
  });
}
