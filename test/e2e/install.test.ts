// First installs, on an engine that knows nothing of NodePad.
import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fingerprintOf, readPublicKey } from '../../src/bundle/keys.ts';
import { airdock } from '../helpers/airdock.ts';
import { type Host, startHost } from '../helpers/host.ts';
import * as deployment from '../helpers/deployment.ts';
import * as nodepad from '../helpers/nodepad.ts';
import { bundles, variant } from '../helpers/releases.ts';
import { runFolder, runName } from '../helpers/run-folder.ts';

const directory = deployment.opt();
const hex32 = /^[0-9a-f]{64}$/;
let host: Host;
let bundle: string;
let trust: string;
/** Fingerprint. */
let root: string;
const set = ['--set', 'NODEPAD_PUBLIC_URL=https://nodepad.example'];
const install = (...args: string[]) => airdock(host, ['install', bundle, '--dir', directory, ...args]);
const env = async () => parseEnv(await readFile(join(directory, '.env'), 'utf8'));
const volumes = async () => (await host.docker('volume', 'ls', '-q')).trim().split('\n').filter(Boolean);

beforeAll(async () => {
  const releases = await bundles('0.2.4', '0.3.0');
  ({ trust } = releases);
  root = fingerprintOf(readPublicKey(await readFile(releases.root, 'utf8')));
  bundle = releases.path('0.2.4');
  host = await startHost({ name: runName('vm') });
});
afterAll(() => host?.stop());

describe('refused, and nothing is left of it', () => {
  beforeAll(async () => {
    await rm(directory, { recursive: true, force: true });
    await deployment.emptied(host, [directory]);
  });
  const expectNothing = async () => {
    expect(existsSync(directory)).toBe(false);
    expect(await host.docker('ps', '-aq')).toBe('');
    expect(await host.docker('image', 'ls', '-q')).toBe('');
    expect(await volumes()).toEqual([]);
  };

  test('no key is trusted', async () => {
    expect(await install('--yes', ...set)).toMatchObject({ exitCode: 2, json: { code: 'TRUST_NEEDED' } });
    await expectNothing();
  });

  test('another key signed it', async () => {
    const other = runFolder('other');
    await mkdir(other, { recursive: true });
    await airdock(host, ['keygen', '--out', 'other'], { cwd: other, env: { AIRDOCK_KEY_PASSWORD: 'x' } });
    expect(await install('--trust', join(other, 'other.pub'), '--yes', ...set)).toMatchObject({
      exitCode: 4,
      json: { code: 'SIGNATURE_INVALID' },
    });
    await expectNothing();
  });

  test('nobody said yes', async () => {
    expect(await install('--trust', trust, ...set)).toMatchObject({ exitCode: 2, json: { code: 'CONSENT_NEEDED' } });
    await expectNothing();
  });

  test('values are missing: all of them at once', async () => {
    const demanding = await variant('demanding', '0.2.4', [
      {
        file: 'templates/env.template',
        from: '# The port on this',
        to: '# airdock: required\nNODEPAD_SMTP=\n# airdock: required secret\nNODEPAD_LICENCE=\n# The port on this',
      },
    ]);
    const plan = await airdock(host, ['plan', demanding, '--dir', directory, '--trust', trust]);
    expect(plan).toMatchObject({
      exitCode: 2,
      json: { env: { missing: ['NODEPAD_PUBLIC_URL', 'NODEPAD_SMTP', 'NODEPAD_LICENCE'] } },
    });
    const answer = await airdock(host, ['install', demanding, '--dir', directory, '--trust', trust, '--yes']);
    expect(answer).toMatchObject({ exitCode: 2, json: { code: 'VALUE_MISSING' } });
    for (const key of ['NODEPAD_PUBLIC_URL', 'NODEPAD_SMTP', 'NODEPAD_LICENCE']) {
      expect(answer.json['message']).toContain(key);
      expect(answer.json['hint']).toContain(`--set-file ${key}=FILE`);
    }
    await expectNothing();
  });

  test('a secret on the command line', async () => {
    const answer = await install('--trust', trust, '--yes', ...set, '--set', 'POSTGRES_PASSWORD=hunter2');
    expect(answer).toMatchObject({ exitCode: 2, json: { code: 'SECRET_ON_COMMAND_LINE' } });
    expect(answer.stdout + answer.stderr).not.toContain('hunter2');
    await expectNothing();
  });

  test('a key that the release does not know', async () => {
    expect(await install('--trust', trust, '--yes', ...set, '--set', 'NODEPAD_PORTS=80')).toMatchObject({
      exitCode: 2,
      json: { code: 'USAGE' },
    });
    await expectNothing();
  });

  test('a directory that others can write to', async () => {
    await mkdir(directory, { recursive: true });
    await chmod(directory, 0o777);
    expect(await install('--trust', trust, '--yes', ...set)).toMatchObject({ exitCode: 5, json: { code: 'DIRECTORY_UNSAFE' } });
    expect(await deployment.everything(directory)).not.toContain('.airdock');
    await rm(directory, { recursive: true });
    await expectNothing();
  });

  test('the port is taken', async () => {
    const other = host.spawn(['python3', '-m', 'http.server', '8080'], { stdio: 'ignore' });
    try {
      await expect.poll(async () => (await host.curl('http://127.0.0.1:8080/')).status, { timeout: 10_000 }).toBe(200);
      const answer = await install('--trust', trust, '--yes', ...set);
      expect(answer).toMatchObject({ exitCode: 5, json: { details: { findings: [{ code: 'PORT_IN_USE' }] } } });
    } finally {
      other.kill('SIGKILL');
    }
    await expectNothing();
  });

  test('no engine answers', async () => {
    const args = ['install', bundle, '--dir', directory, '--trust', trust, '--yes', ...set];
    expect(await airdock(host, args, { env: { DOCKER_HOST: 'unix:///run/airdock/none.sock' } })).toMatchObject({
      exitCode: 5,
      json: { code: 'ENGINE_UNREACHABLE' },
    });
    await expectNothing();
  });
});

describe('installed', () => {
  let secret: string;
  beforeAll(async () => {
    await deployment.emptied(host, [directory]);
    secret = runFolder('secret');
    await writeFile(secret, "pa$$ 'word' \"#1\n", { mode: 0o600 });
  });

  test('with generated secrets and values that were given', async () => {
    const answer = await install(
      '--fingerprint',
      root,
      '--yes',
      ...set,
      '--set',
      'NODEPAD_PORT=8090',
      '--set-file',
      `POSTGRES_PASSWORD=${secret}`,
    );
    expect(answer).toMatchObject({ exitCode: 0, json: { current: '0.2.4', from: null, changed: true } });
    expect(await deployment.answering(host, directory)).toBe('0.2.4');
    const values = await env();
    expect(values).toMatchObject({ VERSION: '0.2.4', NODEPAD_PORT: '8090', NODEPAD_PUBLIC_URL: 'https://nodepad.example' });
    expect(values['NODEPAD_SECRET_KEY']).toMatch(hex32);
    expect(values['NODEPAD_STORAGE_PASSWORD']).toMatch(hex32);
    expect(values['NODEPAD_SECRET_KEY']).not.toBe(values['NODEPAD_STORAGE_PASSWORD']);
    expect((await stat(join(directory, '.env'))).mode & 0o777).toBe(0o600);
    expect((await stat(join(directory, '.airdock'))).mode & 0o777).toBe(0o700);
    expect(answer.stdout + answer.stderr).not.toContain(values['NODEPAD_SECRET_KEY']);
    // compose reads it back as it was given
    const { db = '' } = await deployment.containerIds(host, directory);
    expect(await host.docker('exec', db, 'printenv', 'POSTGRES_PASSWORD')).toBe("pa$$ 'word' \"#1\n");
    expect(await airdock(host, ['status', '--dir', directory])).toMatchObject({
      exitCode: 0,
      json: { current: '0.2.4', phase: 'good', drift: [] },
    });
  });

  test('shared names were not touched: postgres and redis have private ones', async () => {
    const names = (await host.docker('image', 'ls', '--format', '{{.Repository}}:{{.Tag}}')).trim().split('\n').toSorted();
    expect(names).toEqual([
      expect.stringMatching(/^airdock\.invalid\/nodepad\/minio:[0-9a-f]{12}$/),
      expect.stringMatching(/^airdock\.invalid\/nodepad\/postgres:[0-9a-f]{12}$/),
      expect.stringMatching(/^airdock\.invalid\/nodepad\/redis:[0-9a-f]{12}$/),
      'ghcr.io/palazski/nodepad-api:0.2.4',
      'ghcr.io/palazski/nodepad-frontend:0.2.4',
    ]);
  });

  test('docker compose by hand means the same stack', async () => {
    const before = await deployment.containerIds(host, directory);
    await host.compose(directory, 'up', '-d', '--pull', 'never');
    expect(await deployment.containerIds(host, directory)).toEqual(before);
  });

  test('the root is pinned, with the key set that the bundle brought', async () => {
    expect(await airdock(host, ['trust', 'list', '--dir', directory])).toMatchObject({
      exitCode: 0,
      json: { keys: [{ role: 'root', fingerprint: root, set: { number: 1, product: 'nodepad' } }] },
    });
  });

  test('again: nothing to do', async () => {
    const before = [await deployment.everything(directory).then(withoutLock), await deployment.containerIds(host, directory)];
    expect(await install('--yes')).toMatchObject({ exitCode: 0, json: { current: '0.2.4', changed: false, transaction: null } });
    expect([await deployment.everything(directory).then(withoutLock), await deployment.containerIds(host, directory)]).toEqual(
      before,
    );
  });

  test('another content under the same version is refused', async () => {
    const other = await variant('other-content', '0.2.4', [{ file: 'templates/README.md', from: '# ', to: '# Changed: ' }]);
    expect(await airdock(host, ['install', other, '--dir', directory, '--yes'])).toMatchObject({
      exitCode: 5,
      json: { code: 'UPGRADE_PATH_REFUSED' },
    });
    expect(await deployment.answering(host, directory)).toBe('0.2.4');
  });
});

test('one that failed keeps its secrets, and the same command repairs it', async () => {
  await deployment.emptied(host, [directory]);
  await mkdir(directory, { recursive: true });
  const override = join(directory, 'compose.override.yaml');
  await writeFile(override, 'services: { worker: { command: ["false"] } }\n');
  const failed = await install('--trust', trust, '--yes', ...set);
  expect(failed).toMatchObject({
    exitCode: 6,
    json: { code: 'HEALTH_FAILED', details: { serving: null, outcome: 'rolled-back' } },
  });
  expect(failed.json['message']).toContain('worker');
  expect(await deployment.containerIds(host, directory)).toEqual({});
  expect(existsSync(join(directory, 'compose.yaml'))).toBe(false);
  const kept = await env();
  expect(kept['POSTGRES_PASSWORD']).toMatch(hex32);
  expect(await volumes()).toEqual(['nodepad_pgdata', 'nodepad_redis']);
  expect(await airdock(host, ['status', '--dir', directory])).toMatchObject({ json: { current: null, phase: 'none' } });

  await rm(override);
  expect(await install('--yes')).toMatchObject({ exitCode: 0, json: { current: '0.2.4', from: null } });
  expect(await env()).toEqual(kept);
  expect(await deployment.answering(host, directory)).toBe('0.2.4');
  // the volume was there already, so there might have been rows in it
  const { json } = await airdock(host, ['history', '--dir', directory]);
  expect(json['history']).toMatchObject([{ outcome: 'rolled-back' }, { outcome: 'done', backup: expect.any(String) as string }]);
});

describe('what was made by hand is for adopt', () => {
  // refused each time, so one is enough for all
  beforeAll(() => nodepad.handMadeState(host));
  const adoptionNeeded = {
    exitCode: 5,
    json: { code: 'ADOPTION_NEEDED', hint: expect.stringContaining('airdock adopt') as string },
  };

  test('containers, volumes and a compose.yaml', async () => {
    const before = [withoutLock(await deployment.everything(directory)), await deployment.containerIds(host, directory)];
    expect(await install('--trust', trust, '--yes', ...set)).toMatchObject(adoptionNeeded);
    expect([withoutLock(await deployment.everything(directory)), await deployment.containerIds(host, directory)]).toEqual(before);
    expect(await deployment.answering(host, directory)).toBe('0.2.4');
  });

  test('volumes alone', async () => {
    const rows = await nodepad.fingerprint(host, directory);
    await host.compose(directory, 'down');
    const away = `${directory}.away`;
    await rm(away, { recursive: true, force: true });
    await host.exec(['mv', directory, away]);
    expect(await install('--trust', trust, '--yes', ...set)).toMatchObject(adoptionNeeded);
    expect(existsSync(directory)).toBe(false);
    await host.exec(['mv', away, directory]);
    await host.compose(directory, 'up', '-d');
    await deployment.healthy(host, directory);
    expect(await nodepad.fingerprint(host, directory)).toBe(rows);
  });

  test('a project of that name in another directory', async () => {
    const elsewhere = deployment.opt('elsewhere');
    const ids = await deployment.containerIds(host, directory);
    const args = ['install', bundle, '--dir', elsewhere, '--project', 'nodepad', '--trust', trust, '--yes', ...set];
    const answer = await airdock(host, [...args, '--set', 'NODEPAD_PORT=8091']);
    expect(answer).toMatchObject({ exitCode: 5, json: { code: 'ADOPTION_NEEDED' } });
    expect(answer.json['message']).toContain(directory);
    expect(existsSync(elsewhere)).toBe(false);
    expect(await deployment.containerIds(host, directory)).toEqual(ids);
  });
});

/** The lock is taken, and the records opened, even when nothing is done: their times may change, their content not. */
function withoutLock(text: string): string {
  return text
    .split('\n')
    .filter((line) => !/^(\.airdock\/(lock|state)\.db f|\.airdock d|d) | d 7\d\d 4096/.test(line))
    .join('\n');
}
