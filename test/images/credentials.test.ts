import { chmod, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { dockerCredentials } from '../../src/images/credentials.ts';
import { run } from '../../src/io/process.ts';
import { temporaryFolder } from '../helpers/bundle.ts';

const auth = Buffer.from('me:s:ecret').toString('base64');

async function withConfig(config: object | string, helpers: Record<string, string> = {}) {
  const folder = await temporaryFolder();
  await writeFile(folder.file('config.json'), typeof config === 'string' ? config : JSON.stringify(config));
  for (const [name, script] of Object.entries(helpers)) {
    await writeFile(folder.file(`docker-credential-${name}`), `#!/bin/sh\n${script}\n`);
    await chmod(folder.file(`docker-credential-${name}`), 0o755);
  }
  const env = { DOCKER_CONFIG: folder.path, PATH: `${folder.path}:${process.env['PATH']}`, MY_PROFILE: 'prod' };
  return { ...folder, ask: dockerCredentials(env, run) };
}

test('no configuration: anonymous', async () => {
  expect(await dockerCredentials({ DOCKER_CONFIG: '/nonexistent' }, run)('ghcr.io')).toBeUndefined();
});

test('auths: by host, by URL, the Hub under its old name; a password may have colons', async () => {
  const { ask } = await withConfig({
    auths: {
      'ghcr.io': { auth },
      'https://quay.io/v1/': { auth },
      'https://index.docker.io/v1/': { auth },
      'id.io': { auth: '', identitytoken: 't' },
    },
  });
  const me = { username: 'me', password: 's:ecret' };
  expect(await Promise.all(['ghcr.io', 'quay.io', 'docker.io', 'id.io', 'other.io'].map(ask))).toEqual([
    me,
    me,
    me,
    { identityToken: 't' },
    undefined,
  ]);
});

test('a helper executable: the host on stdin, the variables of its own, before auths', async () => {
  const { ask } = await withConfig(
    { credHelpers: { 'ghcr.io': 'mine' }, credsStore: 'store', auths: { 'ghcr.io': { auth } } },
    {
      mine: 'read host; [ "$1" = get ] && echo "{\\"ServerURL\\":\\"$host\\",\\"Username\\":\\"$MY_PROFILE\\",\\"Secret\\":\\"for $host\\"}"',
      store: 'echo "{\\"Username\\":\\"<token>\\",\\"Secret\\":\\"refresh\\"}"',
    },
  );
  expect(await ask('ghcr.io')).toEqual({ username: 'prod', password: 'for ghcr.io' });
  expect(await ask('quay.io')).toEqual({ identityToken: 'refresh' });
});

test('a helper that knows nothing: auths, then anonymous', async () => {
  const { ask } = await withConfig(
    { credsStore: 'store', auths: { 'ghcr.io': { auth } } },
    { store: 'echo "credentials not found in native keychain"; exit 1' },
  );
  expect(await ask('ghcr.io')).toEqual({ username: 'me', password: 's:ecret' });
  expect(await ask('quay.io')).toBeUndefined();
});

test.each([
  ['fails', 'echo locked >&2; exit 3', 'locked'],
  ['prints something else', 'echo hello topsecret', 'not {"Username"'],
])('a helper that %s: which one, and how to see it', async (_, script, why) => {
  const { ask } = await withConfig({ credsStore: 'store' }, { store: script });
  const failure = await ask('ghcr.io').then(
    () => undefined,
    (error: Error) => error,
  );
  expect(failure).toMatchObject({
    code: 'REGISTRY_UNAUTHORIZED',
    message: expect.stringMatching(/docker-credential-store .*ghcr\.io/),
    hint: 'Run: echo ghcr.io | docker-credential-store get',
  });
  expect(failure?.message).toContain(why);
  expect(failure?.message).not.toContain('topsecret');
});

test('a helper that is not installed, or is no name of a program', async () => {
  const { ask } = await withConfig({ credsStore: 'absent' });
  await expect(ask('ghcr.io')).rejects.toMatchObject({
    code: 'REGISTRY_UNAUTHORIZED',
    message: expect.stringContaining('docker-credential-absent'),
  });
  const { ask: other } = await withConfig({ credsStore: '../../bin/sh' });
  await expect(other('ghcr.io')).rejects.toMatchObject({ code: 'REGISTRY_UNAUTHORIZED' });
});

test('a configuration that is not JSON: its path', async () => {
  const { ask, path } = await withConfig('{"auths":');
  await expect(ask('ghcr.io')).rejects.toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringContaining(path) });
});
