// `airdock push` to a registry that wants to know who it is: by flags, by what docker and podman keep, by credential helpers.
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { pushSite, type PushSite } from '../helpers/push.ts';
import { startRegistry } from '../helpers/registry.ts';
import { runName } from '../helpers/run-folder.ts';
import { answeringWay } from '../helpers/unreliable-way.ts';

const login = ['--username', 'ci', '--password-stdin'];
const auth = (user: string): { auth: string } => ({ auth: Buffer.from(user).toString('base64') });
let site: PushSite;
let registry: Awaited<ReturnType<typeof startRegistry>>;
/** A path for each test: what it asks for is not there yet. */
let to: string;
let path: string;
let count = 0;

beforeAll(async () => {
  site = await pushSite();
  registry = await startRegistry({ name: runName('push-login'), auth: { user: 'ci', password: 'pa:ss' } });
});
beforeEach(async () => {
  path = `shop${(count += 1)}`;
  to = `${registry.address}/${path}`;
  await rm(site.file('.docker'), { recursive: true, force: true });
});
afterAll(async () => {
  await registry?.stop();
  await site[Symbol.asyncDispose]();
});

async function config(content: object, file = '.docker/config.json'): Promise<void> {
  await mkdir(dirname(site.file(file)), { recursive: true });
  await writeFile(site.file(file), JSON.stringify(content));
}
/** `docker-credential-NAME` on the PATH, which keeps a note of what it is asked for. */
async function helper(name: string, script: string): Promise<void> {
  await mkdir(site.file('bin'), { recursive: true });
  const file = site.file(`bin/docker-credential-${name}`);
  await writeFile(file, `#!/bin/sh\nread host\necho "$1 $host" >>"$HOME/asked"\n${script}\n`);
  await chmod(file, 0o755);
}
const withHelpers = () => ({ PATH: `${site.file('bin')}:/usr/bin:/bin` });
const says = (Username: string, Secret: string): string => `echo '${JSON.stringify({ Username, Secret })}'`;
const expectThere = (): Promise<void> => site.expectThere(registry, path, ['--tls-verify=false', '--creds', 'ci:pa:ss']);

/** Refused, for that reason; nothing but questions reached the registry, and the secret stands nowhere. */
async function expectRefused(work: () => ReturnType<PushSite['push']>, why: string | RegExp, secret = 'wrongword') {
  const before = (await registry.requests()).length;
  const { code, document, stdout, stderr } = await work();
  expect([code, document['code']]).toEqual([3, 'REGISTRY_UNAUTHORIZED']);
  expect(document['message']).toMatch(why);
  expect(stdout + stderr).not.toContain(secret);
  const requests = (await registry.requests()).slice(before);
  expect(requests.filter((line) => !/^HEAD .* 401$/.test(line))).toEqual([]);
  return document;
}

test('nobody is logged in: it says how', async () => {
  const { hint } = await expectRefused(() => site.push(to, []), 'none is stored for it');
  expect(hint).toContain(`docker login ${registry.address}, or give --username and --password-stdin`);
});

test('--username and --password-stdin: together, with a password that is one, before what docker login keeps', async () => {
  await config({ auths: { [registry.address]: auth('ci:wrongword') } });
  await expectRefused(() => site.push(to, login, {}, { stdin: 'wrongword\n' }), 'refused the user name and password');
  expect(await site.push(to, ['--username', 'ci'])).toMatchObject({ code: 2, document: { code: 'USAGE' } });
  expect(await site.push(to, ['--password-stdin'])).toMatchObject({ code: 2, document: { code: 'USAGE' } });
  expect(await site.push(to, login, {}, { stdin: '\n' })).toMatchObject({ code: 2, document: { code: 'USAGE' } });
  expect(await site.push(to, login, {}, { stdin: 'pa:ss\n' })).toMatchObject({ code: 0 });
  await expectThere();
});

test.each([
  ['docker login, at home', '.docker/config.json', {}],
  ['docker login with DOCKER_CONFIG', 'elsewhere/config.json', { DOCKER_CONFIG: 'elsewhere' }],
  ['podman login', 'run/containers/auth.json', { XDG_RUNTIME_DIR: 'run' }],
  ['podman login with REGISTRY_AUTH_FILE', 'mine.json', { REGISTRY_AUTH_FILE: 'mine.json' }],
])('auths of %s; a wrong one is refused', async (_, file, folders) => {
  const env = Object.fromEntries(Object.entries(folders).map(([name, folder]) => [name, site.file(folder)]));
  await config({ auths: { 'ghcr.io': auth('other:one'), [registry.address]: auth('ci:wrongword') } }, file);
  await expectRefused(() => site.push(to, [], env), 'refused the user name and password');
  await config({ auths: { 'ghcr.io': auth('other:one'), [registry.address]: auth('ci:pa:ss') } }, file);
  expect(await site.push(to, [], env)).toMatchObject({ code: 0 });
  await expectThere();
});

test.each([
  ['credHelpers', () => ({ credHelpers: { [registry.address]: 'vault' }, credsStore: 'absent' })],
  ['credsStore', () => ({ credsStore: 'vault' })],
])('a credential helper, by %s: asked for this registry alone', async (_, content) => {
  await rm(site.file('asked'), { force: true });
  await config(content());
  await helper('vault', `[ "$host" = ${registry.address} ] && ${says('ci', 'pa:ss')}`);
  expect(await site.push(to, [], withHelpers())).toMatchObject({ code: 0 });
  const asked = (await readFile(site.file('asked'), 'utf8')).trim().split('\n');
  expect(new Set(asked)).toEqual(new Set([`get ${registry.address}`]));
  await expectThere();
});

test('a helper that knows another password, none, or is not there', async () => {
  await config({ credsStore: 'vault' });
  await helper('vault', says('ci', 'wrongword'));
  await expectRefused(() => site.push(to, [], withHelpers()), 'refused the user name and password');
  await helper('vault', 'echo credentials not found in native keychain; exit 1');
  await expectRefused(() => site.push(to, [], withHelpers()), 'none is stored for it');
  await helper('vault', 'echo the vault is sealed >&2; exit 2');
  const told = await expectRefused(() => site.push(to, [], withHelpers()), /docker-credential-vault .*the vault is sealed/);
  expect(told['hint']).toContain(`echo ${registry.address} | docker-credential-vault get`);
  await config({ credsStore: 'absent' });
  await expectRefused(() => site.push(to, [], withHelpers()), 'docker-credential-absent');
  // the flags need no helper
  expect(await site.push(to, login, withHelpers(), { stdin: 'pa:ss' })).toMatchObject({ code: 0 });
});

test('a token service gets the login, the registry only its token; a wrong login is refused there', async () => {
  const authorizations = new Set<string>();
  await using way = await answeringWay(registry.address, (request, response) => {
    const { authorization = '', host } = request.headers;
    if (request.url?.startsWith('/token')) {
      if (authorization === `Basic ${auth('ci:token').auth}`) response.end(JSON.stringify({ token: 'given' }));
      else response.writeHead(401).end();
      return true;
    }
    authorizations.add(authorization);
    if (authorization !== 'Bearer given') {
      response
        .writeHead(401, { 'www-authenticate': `Bearer realm="http://localhost:${host?.split(':')[1]}/token",service="s"` })
        .end();
      return true;
    }
    request.headers.authorization = `Basic ${auth('ci:pa:ss').auth}`;
    return false;
  });
  const there = `${way.address}/${path}`;
  const told = await expectRefused(
    () => site.push(there, login, {}, { stdin: 'wrongword' }),
    /a token for .*refused the user name/,
  );
  // another host than that whose login is kept
  expect(told['message']).toMatch(/^localhost:/);
  expect(told['hint']).toContain(`docker login ${way.address}, or give --username`);
  expect(await site.push(there, login, {}, { stdin: 'token' })).toMatchObject({ code: 0 });
  expect([...authorizations]).toEqual(['', 'Bearer given']);
  await expectThere();
});
