// Upgrades of class `expand`: what is refused before anything is touched, what `plan` says, and the way itself under the
// eyes of a poller.
import { copyFile, lstat, mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { exitCodes } from '../../src/errors.ts';
import { airdock } from '../helpers/airdock.ts';
import { entriesOf, flipBit } from '../helpers/damage.ts';
import { type Host, startHost } from '../helpers/host.ts';
import { answering, containerIds, everything, healthy, opt, postNote } from '../helpers/deployment.ts';
import { fingerprint, installedState, sql } from '../helpers/nodepad.ts';
import { bundles, variant } from '../helpers/releases.ts';
import { runFolder, runName } from '../helpers/run-folder.ts';
import { filesWith, secretsOf, watchArguments } from '../helpers/secrets.ts';
import { expectSwitch, watched } from '../helpers/serving.ts';

const directory = opt();
const envFile = join(directory, '.env');
let host: Host;
let releases: Awaited<ReturnType<typeof bundles>>;
beforeAll(async () => {
  releases = await bundles('0.2.4', '0.3.0', '0.5.0');
  host = await startHost({ name: runName('vm') });
});
afterAll(() => host?.stop());
const upgrade = (bundle: string, ...flags: string[]) => airdock(host, ['install', bundle, '--dir', directory, '--yes', ...flags]);

describe('refused, and nothing is touched', () => {
  let before: unknown[];
  const look = async () => [
    await readFile(envFile, 'utf8'),
    await containerIds(host, directory),
    await fingerprint(host, directory),
  ];
  const refuse = async (bundle: string, codes: string[]) => {
    const plan = await airdock(host, ['plan', bundle, '--dir', directory]);
    expect(plan.exitCode).toBe(5);
    expect((plan.json['findings'] as { code: string }[]).map(({ code }) => code).toSorted()).toEqual(codes.toSorted());
    const answer = await upgrade(bundle);
    // findings of one code that has an exit code of its own keep its name
    const [first = ''] = codes;
    const code = first in exitCodes && codes.every((one) => one === first) ? first : 'PREFLIGHT_FAILED';
    expect([answer.exitCode, answer.json['code']]).toEqual([5, code]);
    expect((answer.json['details'] as { findings: unknown }).findings).toEqual(plan.json['findings']);
    expect(await look()).toEqual(before);
    expect(await answering(host, directory)).toBe('0.2.4');
    const { json } = await airdock(host, ['history', '--dir', directory]);
    expect(json['history']).toMatchObject([{ kind: 'install', outcome: 'done' }]);
  };
  beforeAll(async () => {
    await installedState(host);
    before = await look();
  });

  test('a release that upgrades from later ones only', () => refuse(releases.path('0.5.0'), ['UPGRADE_PATH_REFUSED']));

  test('another product', async () => {
    const change = { file: 'bundle.config.ts', from: `product: 'nodepad'`, to: `product: 'otherpad'` };
    const otherpad = await variant('otherpad', '0.3.0', [change], { keySets: false });
    await refuse(otherpad, ['PRODUCT_MISMATCH']);
  });

  test('another major version of PostgreSQL', async () => {
    const newer = await variant('postgres-16', '0.3.0', [{ file: 'bundle.config.ts', from: 'postgres: 15', to: 'postgres: 16' }]);
    await refuse(newer, ['POSTGRES_MAJOR']);
  });

  // the other entries of a bundle: failures.test.ts
  test.each(['chart/', 'values-template.yaml'])('one flipped bit in %s', async (which) => {
    const entry = (await entriesOf(releases.path('0.3.0'))).find(({ name }) => name.startsWith(which));
    if (!entry) throw new Error('the bundle has no such entry');
    const damaged = runFolder('damaged.tar');
    await copyFile(releases.path('0.3.0'), damaged);
    await flipBit(damaged, entry.offset + Math.min(40, entry.size >> 1));
    expect(await upgrade(damaged)).toMatchObject({ exitCode: 4, json: { code: 'BUNDLE_DIGEST_MISMATCH' } });
    expect(await look()).toEqual(before);
  });

  test('VERSION twice in .env: both lines are named', async () => {
    const text = await readFile(envFile, 'utf8');
    await writeFile(envFile, `${text}VERSION=0.2.4\n`);
    const answer = await upgrade(releases.path('0.3.0'));
    expect(answer).toMatchObject({ exitCode: 5, json: { code: 'ENV_INVALID' } });
    const lines = `${text}VERSION=0.2.4\n`.split('\n').flatMap((line, i) => (line.startsWith('VERSION=') ? [i + 1] : []));
    for (const line of lines) expect(answer.json['message']).toMatch(new RegExp(`\\b${line}\\b`));
    expect(await readFile(envFile, 'utf8')).toBe(`${text}VERSION=0.2.4\n`);
    await writeFile(envFile, text);
    expect(await look()).toEqual(before);
  });
});

describe('0.2.4 -> 0.3.0', () => {
  let rows: string;
  let ids: Record<string, string>;
  let plan: Record<string, unknown>;
  let said: { secrets: string[]; output: string; processes: { seen: number; found: string[] } };
  const names = async () =>
    (await host.docker('image', 'ls', '-a', '--no-trunc', '--format', '{{.ID}} {{.Repository}}:{{.Tag}}')).split('\n').toSorted();
  beforeAll(async () => {
    await installedState(host);
    rows = await fingerprint(host, directory);
    ids = await containerIds(host, directory);
  });

  test('plan: what is going to happen, and not a byte changed', async () => {
    const before = await everything(directory);
    const images = await names();
    const answer = await airdock(host, ['plan', releases.path('0.3.0'), '--dir', directory]);
    plan = answer.json;
    expect(answer).toMatchObject({
      exitCode: 0,
      json: {
        kind: 'upgrade',
        from: '0.2.4',
        to: '0.3.0',
        class: 'expand',
        summaries: ['0.3.0: adds notes.pinned'],
        findings: [],
        env: { missing: [], changed: ['VERSION'] },
        removed: [],
        added: [],
      },
    });
    const steps = plan['steps'] as { id: string; stop: boolean }[];
    expect(steps.map(({ id }) => id)).toEqual([
      'import',
      'load',
      'backup',
      'rehearse',
      'migrate',
      'switch',
      'up',
      'health',
      'good',
    ]);
    expect(plan['backup']).toEqual({ proven: true, with: ['redis'] });
    const ledger = (plan['disk'] as { needs: { what: string; bytes: number }[] }[]).flatMap(({ needs }) => needs);
    const needed = ledger.filter(({ bytes }) => bytes > 0).map(({ what }) => what);
    expect(needed).toEqual(expect.arrayContaining(['bundle', 'backup', 'rehearsal', 'WAL', 'images']));
    expect(needed).not.toContain('copy');
    expect(steps.filter(({ stop }) => stop).map(({ id }) => id)).toEqual(['up']);
    expect((plan['recreated'] as string[]).toSorted()).toEqual(['api', 'beat', 'frontend', 'worker']);
    expect(await everything(directory)).toBe(before);
    expect(await names()).toEqual(images);
    expect(await containerIds(host, directory)).toEqual(ids);
  });

  test('the old version answers until `up`, the new one from then on; rows, database and redis stay', async () => {
    const secrets = await secretsOf(envFile, ['POSTGRES_PASSWORD', 'NODEPAD_SECRET_KEY', 'NODEPAD_STORAGE_PASSWORD']);
    const processes = watchArguments(secrets);
    const { result, seen, ended } = await watched(host, directory, () => upgrade(releases.path('0.3.0')));
    said = { secrets, output: result.stdout + result.stderr, processes: processes.stop() };
    expect(result).toMatchObject({ exitCode: 0, json: { current: '0.3.0', from: '0.2.4', class: 'expand', changed: true } });
    expectSwitch('0.2.4 -> 0.3.0', seen, { before: '0.2.4', after: '0.3.0' }, { up: result.stepStarted('up'), ended });
    expect(await fingerprint(host, directory)).toBe(rows);
    const after = await containerIds(host, directory);
    expect(after).toMatchObject({ db: ids['db'], redis: ids['redis'] });
    expect(Object.keys(after)).toEqual(Object.keys(ids));
    for (const service of plan['recreated'] as string[]) expect(after[service]).not.toBe(ids[service]);
    // what was carried out is what plan had said, but for what is free on the disk
    const saved = JSON.parse(
      await readFile(join(directory, `.airdock/transactions/${String(result.json['transaction'])}/plan.json`), 'utf8'),
    ) as typeof plan;
    const withoutDisk = ({ disk: _disk, database: _database, ...rest }: typeof plan) => rest;
    expect(withoutDisk(saved)).toEqual(withoutDisk(plan));
    // the rehearsal said what was going to happen, and proved the backup by it
    const rehearsed = result.events.find((event) => event.type === 'step-ended' && event.step === 'rehearse');
    expect(rehearsed).toMatchObject({
      outcome: 'done',
      summary: expect.stringMatching(/proven in .*the migration took [^]*\n\+ notes\.pinned boolean/),
    });
    const report = await readFile(
      join(directory, `.airdock/transactions/${String(result.json['transaction'])}/report.txt`),
      'utf8',
    );
    expect(report).toContain('+ notes.pinned boolean');
    const { json: told } = await airdock(host, ['history', '--dir', directory]);
    expect((told['history'] as unknown[]).at(-1)).toMatchObject({ outcome: 'done', rehearsed: true, backupState: 'proven' });
    // the new schema is there, old rows got the default, and new ones are written
    const id = await postNote(host, directory, 'after the upgrade');
    expect(await sql(host, directory, `SELECT pinned FROM notes WHERE id = ${id}`)).toBe('f');
    expect(await airdock(host, ['status', '--dir', directory])).toMatchObject({
      exitCode: 0,
      json: {
        current: '0.3.0',
        schemaRelease: '0.3.0',
        releases: [
          { version: '0.2.4', rollback: 'code' },
          { version: '0.3.0', rollback: 'current' },
        ],
      },
    });
  });

  test('no secret of .env was an argument of a process, was printed, or lies in the records, reports, logs, backups or the support bundle', async () => {
    const { secrets, output, processes } = said;
    expect(processes.seen).toBeGreaterThan(20); // it did look while docker was called
    expect(processes.found).toEqual([]);
    const history = await airdock(host, ['history', '--dir', directory]);
    const status = await airdock(host, ['status', '--dir', directory]);
    for (const secret of secrets) expect(output + history.stdout + status.stdout).not.toContain(secret);
    for (const folder of ['backups', 'releases', 'transactions'])
      expect(await filesWith(join(directory, '.airdock', folder), secrets)).toEqual([]);
    const support = runFolder('support');
    await rm(support, { recursive: true, force: true });
    await mkdir(support);
    const written = await airdock(host, ['support-bundle', '--dir', directory, '--output', join(support, 'support.tar.gz')]);
    expect(written).toMatchObject({ exitCode: 0, json: { missing: [] } });
    await host.exec(['tar', '-xzf', join(support, 'support.tar.gz'), '-C', support]);
    expect((await readdir(join(support, 'logs'))).length).toBeGreaterThan(4);
    expect(await readFile(join(support, 'env.txt'), 'utf8')).toContain('POSTGRES_PASSWORD is set');
    expect(await filesWith(support, secrets)).toEqual([]);
    const records = await readFile(join(directory, '.airdock/state.db'));
    expect(secrets.filter((secret) => records.includes(secret))).toEqual([]);
    expect(await filesWith(directory, secrets)).toEqual([envFile]); // that it finds what is there
  });

  test('docker compose up by hand changes nothing', async () => {
    const before = await containerIds(host, directory);
    await host.compose(directory, 'up', '-d', '--pull', 'never');
    expect(await containerIds(host, directory)).toEqual(before);
  });

  test('a downgrade is refused and names rollback', async () => {
    const before = await containerIds(host, directory);
    const answer = await upgrade(releases.path('0.2.4'));
    expect(answer).toMatchObject({ exitCode: 5, json: { code: 'DOWNGRADE_REFUSED' } });
    expect(answer.json['hint']).toContain('airdock rollback');
    expect(await containerIds(host, directory)).toEqual(before);
    expect(await answering(host, directory)).toBe('0.3.0');
  });
});

describe('.env is the operator’s', () => {
  test('CRLF, quotes, comments, order, no final newline, behind a symlink: VERSION alone changes, a new key comes at the end', async () => {
    await installedState(host);
    const text = (await readFile(envFile, 'utf8'))
      .replace(/(# .*\n)*NODEPAD_EXPORT_LIMIT=.*\n/, '')
      .replace(/^VERSION=.*$/m, `VERSION='0.2.4'   # ours since May`)
      .replace(/^POSTGRES_USER=.*$/m, 'POSTGRES_USER="nodepad"')
      .replace(/^# The port/m, '# Grüße, 端口\n# The port')
      .trimEnd()
      .replaceAll('\n', '\r\n');
    expect(text).not.toContain('EXPORT_LIMIT');
    const target = join(directory, 'settings.env');
    await rename(envFile, target);
    await writeFile(target, text);
    await symlink('settings.env', envFile);

    const answer = await upgrade(releases.path('0.3.0'), '--no-rehearsal');
    expect(answer.exitCode, answer.stdout).toBe(0);
    const after = await readFile(target, 'utf8');
    const kept = text.replace(`VERSION='0.2.4'`, `VERSION='0.3.0'`);
    expect(after.startsWith(kept)).toBe(true);
    const added = after.slice(kept.length);
    expect(added).toMatch(/^\r\n(# .*\r\n|\r\n)*NODEPAD_EXPORT_LIMIT=100\r\n$/);
    expect((await lstat(envFile)).isSymbolicLink()).toBe(true);
    expect((await lstat(target)).mode & 0o777).toBe(0o600);
    expect(await answering(host, directory)).toBe('0.3.0');

    // a way back touches VERSION alone
    const back = await airdock(host, ['rollback', '--dir', directory, '--yes']);
    expect(back.exitCode, back.stdout).toBe(0);
    await healthy(host, directory, '0.2.4');
    expect(await readFile(envFile, 'utf8')).toBe(text + added);
    expect((await lstat(envFile)).isSymbolicLink()).toBe(true);
  });
});
