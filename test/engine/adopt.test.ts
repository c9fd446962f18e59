// Deployments as the old playbook made them, taken over on real engines without a way out.
import { existsSync } from 'node:fs';
import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { airdock, patchedAirdock } from '../helpers/airdock.ts';
import { type Host, type HostOptions, startHost } from '../helpers/host.ts';
import { answering, baseState, containerIds, healthy, opt, succeed } from '../helpers/deployment.ts';
import { handMade } from '../helpers/nodepad.ts';
import { cases } from '../helpers/faults.ts';
import { bundles } from '../helpers/releases.ts';
import { runName } from '../helpers/run-folder.ts';

const variants: HostOptions[] = [
  { name: 'adopt-20', engine: '20.10', store: 'classic', compose: '2.26' },
  { name: 'adopt-28', engine: '28.5', store: 'containerd', compose: '2.40' },
];
const secrets = /hand-nodepad|made-by-hand/;

// 28.5 with `scripts/test --faults`: each variant takes minutes.
describe.each(cases(variants.slice(0, 1), variants.slice(1)))('$name', (variant) => {
  let host: Host;
  let releases: Awaited<ReturnType<typeof bundles>>;
  const directory = opt('nodepad');
  const file = (name: string) => join(directory, name);
  const text = (name: string) => readFile(file(name), 'utf8');
  const ids = () => containerIds(host, directory);
  const edit = async (name: string, change: (was: string) => string) => writeFile(file(name), change(await text(name)));
  const byBundle = (version = '0.2.4') => [
    'adopt',
    '--dir',
    directory,
    '--bundle',
    releases.path(version),
    '--trust',
    releases.trust,
    '--yes',
  ];
  const byHand = async (...args: string[]) => {
    await host.compose(directory, 'up', '-d', ...args);
    await healthy(host, directory);
  };

  beforeAll(async () => {
    releases = await bundles('0.2.4', '0.3.0');
    host = await startHost({ ...variant, name: runName(variant.name) });
  });
  beforeEach(() => baseState(host, `${variant.name}-handmade`, [directory], () => handMade(host, '0.2.4', directory)));
  afterAll(async () => {
    await host.stop();
    await rm(directory, { recursive: true, force: true });
  });

  test('unedited: only records are made', async () => {
    const before = { ids: await ids(), env: await text('.env'), compose: await text('compose.yaml') };
    const result = await succeed(host, byBundle());
    expect(result.json).toMatchObject({ product: 'nodepad', version: '0.2.4', changed: true });
    const edits = (result.json['edits'] as { path: string }[]).map((one) => one.path);
    // what came by docker save and load is another image to the containerd store: the operator's own is kept
    const kept = new Set(edits);
    expect([...kept].filter((path) => !['db.image', 'redis.image'].includes(path))).toEqual([]);
    const untouched = { env: (await text('.env')) === before.env, compose: (await text('compose.yaml')) === before.compose };
    expect(untouched).toEqual({ env: kept.size === 0, compose: kept.size === 0 });
    expect({ store: variant.store, kept: variant.store === 'classic' ? kept.size : 0 }).toEqual({
      store: variant.store,
      kept: 0,
    });
    expect(await ids()).toEqual(before.ids);
    await byHand();
    expect(await ids()).toEqual(before.ids);
    expect((await airdock(host, ['status', '--dir', directory])).json).toMatchObject({ current: '0.2.4', drift: [] });
    expect((await succeed(host, ['adopt', '--dir', directory])).json).toMatchObject({ changed: false });
  });

  test('edited in many places, with an override, then upgraded and rolled back', async () => {
    await edit('compose.yaml', (was) =>
      was
        .replace('${GUNICORN_WORKERS:-1}', '2')
        .replace(`'\${NODEPAD_PORT:-8080}:80'`, `'\${NODEPAD_PORT:-8080}:80'\n      - '127.0.0.1:18443:80'`)
        .replace(/ {2}beat:\n(.*\n)*?\n/, '')
        .replace('  # Only with', '  extra:\n    image: redis:7\n    environment: [A=1]\n\n  # Only with'),
    );
    await writeFile(file('compose.override.yaml'), 'services:\n  worker:\n    environment:\n      MINE: "1"\n');
    await byHand('--remove-orphans');
    const before = await ids();
    expect(Object.keys(before)).not.toContain('beat');
    const override = await stat(file('compose.override.yaml'));

    const result = await succeed(host, byBundle());
    const edits = (result.json['edits'] as { path: string; value: string | null }[]).map(
      ({ path, value }) => `${path}: ${value}`,
    );
    expect(edits).toEqual(
      expect.arrayContaining([
        'api.environment.GUNICORN_WORKERS: 2',
        'frontend.ports: ${NODEPAD_PORT:-8080}:80, 127.0.0.1:18443:80',
        'extra: a service of your own',
        'beat: null',
      ]),
    );
    expect(await ids()).toEqual(before);
    await byHand();
    expect(await ids()).toEqual(before);
    expect(await text('.env')).toMatch(/^COMPOSE_FILE=compose.yaml:compose.adopted.yaml:compose.override.yaml$/m);
    expect(await text('compose.adopted.yaml')).not.toMatch(secrets);
    expect((await stat(file('compose.override.yaml'))).mtimeMs).toBe(override.mtimeMs);

    await succeed(host, ['install', releases.path('0.3.0'), '--dir', directory, '--yes', '--no-rehearsal']);
    expect(await answering(host, directory)).toBe('0.3.0');
    const after = await ids();
    expect(Object.keys(after)).toEqual(Object.keys(before));
    for (const service of ['db', 'redis', 'extra']) expect(after[service]).toBe(before[service]);
    expect(await host.docker('inspect', '-f', '{{.Config.Env}}', after['api'] ?? '')).toContain('GUNICORN_WORKERS=2');
    expect(await host.docker('inspect', '-f', '{{.Config.Env}}', after['worker'] ?? '')).toContain('MINE=1');
    expect((await host.curl('http://127.0.0.1:18443/api/health')).status).toBe(200);

    await host.docker('image', 'prune', '-af');
    await succeed(host, ['rollback', '--dir', directory, '--yes']);
    expect(await answering(host, directory)).toBe('0.2.4');
    const back = await ids();
    for (const service of ['db', 'redis', 'extra']) expect(back[service]).toBe(before[service]);
  });

  test.each(cases([], ['docker-compose.yml']))('named %s, and edits by hand later', async () => {
    await rename(file('compose.yaml'), file('docker-compose.yml'));
    await edit('docker-compose.yml', (was) => was.replace('${GUNICORN_WORKERS:-1}', '2'));
    await byHand();
    const before = await ids();
    await succeed(host, byBundle());
    expect(await text('.env')).toMatch(/^COMPOSE_FILE=compose.yaml:compose.adopted.yaml$/m);
    await byHand();
    expect(await ids()).toEqual(before);

    await edit('compose.yaml', (was) => was.replace('stop_grace_period: 5s', 'stop_grace_period: 6s'));
    await byHand();
    const edited = await ids();
    expect((await airdock(host, ['status', '--dir', directory])).exitCode).toBe(5);
    const again = await succeed(host, ['adopt', '--dir', directory, '--yes']);
    expect(again.json['edits']).toEqual([{ path: 'frontend.stop_grace_period', change: 'set', value: '6s' }]);
    expect(await text('compose.adopted.yaml')).toMatch(/GUNICORN_WORKERS: "?2/);
    expect((await airdock(host, ['status', '--dir', directory])).exitCode).toBe(0);
    await byHand();
    expect(await ids()).toEqual(edited);

    await edit('.env', (was) => was.replace('VERSION=0.2.4', 'VERSION=0.2.5'));
    expect((await airdock(host, ['adopt', '--dir', directory, '--yes'])).json).toMatchObject({
      code: 'ADOPTION_REFUSED',
      hint: expect.stringContaining('--discard-local') as string,
    });
  });

  test('without a bundle: the engine gives the images, and a rollback finds them', async () => {
    const before = await ids();
    const result = await succeed(host, ['adopt', '--dir', directory, '--yes']);
    expect(result.json).toMatchObject({ product: null, source: 'engine', changed: true, edits: [] });
    expect(await ids()).toEqual(before);
    expect((await airdock(host, ['status', '--dir', directory])).json).toMatchObject({ drift: [], product: null });
    const args = ['--dir', directory, '--trust', releases.trust, '--yes', '--no-rehearsal'];
    await succeed(host, ['install', releases.path('0.3.0'), ...args]);
    expect(await answering(host, directory)).toBe('0.3.0');
    await host.docker('image', 'prune', '-af');
    await succeed(host, ['rollback', '--dir', directory, '--yes']);
    expect(await answering(host, directory)).toBe('0.2.4');
    expect((await airdock(host, ['status', '--dir', directory])).json).toMatchObject({
      current: '0.2.4',
      product: 'nodepad',
      drift: [],
    });
  });

  test('refused, and nothing is written', async () => {
    const before = { ids: await ids(), env: await text('.env'), compose: await text('compose.yaml') };
    const refusals: [string, string[]][] = [
      ['ADOPTION_REFUSED', byBundle('0.3.0')],
      ['TRUST_NEEDED', ['adopt', '--dir', directory, '--bundle', releases.path('0.2.4'), '--yes']],
      ['CONSENT_NEEDED', byBundle().slice(0, -1)],
      ['ADOPTION_REFUSED', ['adopt', '--dir', opt('other'), '--project', 'nodepad', '--yes']],
      ['ADOPTION_REFUSED', ['adopt', '--dir', opt('other'), '--yes']],
    ];
    for (const [code, args] of refusals) expect({ args, ...(await airdock(host, args)).json }).toMatchObject({ args, code });
    await edit('.env', (was) => was.replace('VERSION=0.2.4', '# none'));
    expect((await airdock(host, ['adopt', '--dir', directory, '--yes'])).json).toMatchObject({ code: 'ADOPTION_REFUSED' });
    await writeFile(file('.env'), before.env);
    await host.docker('tag', 'ghcr.io/palazski/nodepad-frontend:0.2.4', 'kept:1');
    await host.docker('tag', 'redis:7', 'ghcr.io/palazski/nodepad-frontend:0.2.4');
    await host.compose(directory, 'up', '-d', '--no-deps', 'frontend');
    const wrong = await airdock(host, byBundle());
    expect(wrong.json).toMatchObject({ code: 'ADOPTION_REFUSED', message: expect.stringContaining('frontend runs') as string });
    expect({ ...(await ids()), frontend: '' }).toEqual({ ...before.ids, frontend: '' });
    expect(await text('.env')).toBe(before.env);
    expect(await text('compose.yaml')).toBe(before.compose);
    for (const name of ['.airdock', 'compose.adopted.yaml']) expect(existsSync(file(name))).toBe(false);
    expect(existsSync(opt('other'))).toBe(false);
  });

  test.each(cases(['.env'], ['compose.adopted.yaml', 'compose.yaml']))('killed after it wrote %s', async (name) => {
    await edit('compose.yaml', (was) => was.replace('${GUNICORN_WORKERS:-1}', '2'));
    await byHand();
    const before = { ids: await ids(), env: await text('.env'), compose: await text('compose.yaml') };
    const line = 'progress((written += bytes.length));';
    const program = await patchedAirdock(`${variant.name}-${name}`, [
      {
        file: 'src/vm/transaction/adoption.ts',
        from: line,
        to: `${line} if (name === '${name}') process.kill(process.pid, 'SIGKILL');`,
      },
    ]);
    await expect(airdock(host, byBundle(), { program })).rejects.toThrow('SIGKILL');
    expect(existsSync(file('compose.adopted.yaml'))).toBe(true);
    // as it stands, it is the same stack or none that compose reads
    await host.exec(['docker', 'compose', 'up', '-d'], { cwd: directory });
    expect(await ids()).toEqual(before.ids);

    expect((await airdock(host, ['resume', '--dir', directory])).exitCode).toBe(0);
    expect(await text('.env')).toBe(before.env);
    expect(await text('compose.yaml')).toBe(before.compose);
    expect(existsSync(file('compose.adopted.yaml'))).toBe(false);
    await succeed(host, byBundle());
    await byHand();
    expect(await ids()).toEqual(before.ids);
  });
});
