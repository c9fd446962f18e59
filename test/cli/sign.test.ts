import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { signDocument } from '../../src/cli/documents/sign.ts';
import { otherKey, passphrase, temporaryFolder, testKey, writeTestBundle } from '../helpers/bundle.ts';
import { airdock, type CliOptions, type CliResult } from '../helpers/cli.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let before: Buffer;
const sign = (args: readonly string[], options: CliOptions = {}): Promise<CliResult> =>
  airdock(['sign', 'bundle.tar', ...args], { cwd: folder.path, ...options });
const verified = async (): Promise<number> =>
  (await airdock(['verify', 'bundle.tar', '--trust', 'release.pub'], { cwd: folder.path })).code;

beforeAll(async () => {
  folder = await temporaryFolder();
  await writeFile(folder.file('release.key'), testKey.privatePem);
  await writeFile(folder.file('release.pub'), testKey.publicPem);
  await writeFile(folder.file('other.pub'), otherKey.publicPem);
  await writeFile(folder.file('password'), passphrase);
});
beforeEach(async () => {
  await writeTestBundle(folder.file('bundle.tar'), { sign: 'unsigned' });
  before = await readFile(folder.file('bundle.tar'));
});
afterAll(() => folder[Symbol.asyncDispose]());

describe('airdock sign', () => {
  test.each([
    ['--key with the password in the environment', ['--key', 'release.key'], { env: { AIRDOCK_KEY_PASSWORD: passphrase } }],
    ['--key-password-file', ['--key', 'release.key', '--key-password-file', 'password'], {}],
    ['a password typed on a terminal', ['--key', 'release.key'], { answers: [passphrase] }],
    ['the key in the environment', [], { env: { AIRDOCK_KEY: testKey.privatePem, AIRDOCK_KEY_PASSWORD: passphrase } }],
  ])('%s', async (_what, args, options) => {
    expect(await verified()).toBe(4);
    const { code, stdout, stderr } = await sign(args, options);
    expect(stderr).toMatch(/✔ sign/);
    expect({ code, stdout }).toEqual({ code: 0, stdout: `signed by ${testKey.fingerprint}\n` });
    expect(await verified()).toBe(0);
  });

  test('--json', async () => {
    const { stdout } = await sign(['--key', 'release.key', '--json'], { env: { AIRDOCK_KEY_PASSWORD: passphrase } });
    expect(signDocument.parse(JSON.parse(stdout)).key).toBe(testKey.fingerprint);
  });

  test('--external: the digest goes out, the DER signature comes in', async () => {
    const { code, stdout } = await sign(['--external']);
    expect(code).toBe(0);
    const digest = stdout.trim();
    expect(digest).toMatch(/^[0-9a-f]{64}$/);
    expect(signDocument.parse(JSON.parse((await sign(['--external', '--json'])).stdout)).digest).toBe(digest);
    // An HSM: it gets the digest and nothing else.
    await writeFile(folder.file('digest'), Buffer.from(digest, 'hex'));
    const hsm = [
      'pkeyutl',
      '-sign',
      '-inkey',
      'release.key',
      '-passin',
      `pass:${passphrase}`,
      '-in',
      'digest',
      '-out',
      'sig.der',
    ];
    execFileSync('openssl', hsm, { cwd: folder.path });
    expect((await sign(['--external', '--signature', 'sig.der', '--trust', 'release.pub'])).code).toBe(0);
    expect(await verified()).toBe(0);
  });

  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  test.each([
    ['no key', 2, [], {}],
    ['no password', 2, ['--key', 'release.key'], {}],
    ['a wrong password', 2, ['--key', 'release.key'], { env: { AIRDOCK_KEY_PASSWORD: 'x' } }],
    ['no such key', 2, ['--key', 'none.key'], {}],
    ['a public key', 2, ['--key', 'release.pub'], {}],
    ['an RSA key', 2, [], { env: { AIRDOCK_KEY: privateKey.export({ type: 'pkcs8', format: 'pem' }) } }],
    ['no password file', 2, ['--key', 'release.key', '--key-password-file', 'none'], {}],
    [
      '--signature without --external',
      2,
      ['--key', 'release.key', '--signature', 'x'],
      { env: { AIRDOCK_KEY_PASSWORD: passphrase } },
    ],
    ['--signature without --trust', 2, ['--external', '--signature', 'release.key'], {}],
    ['no such signature', 2, ['--external', '--signature', 'none', '--trust', 'release.pub'], {}],
    ['a signature that is none', 4, ['--external', '--signature', 'password', '--trust', 'release.pub'], {}],
  ] as [string, number, string[], CliOptions][])('%s: exit %i, the bundle is as it was', async (_what, exit, args, options) => {
    const { code, stdout } = await sign(args, options);
    expect({ code, stdout }).toEqual({ code: exit, stdout: '' });
    expect((await readFile(folder.file('bundle.tar'))).equals(before)).toBe(true);
  });

  test('a signature by another key than --trust says', async () => {
    await sign(['--external']);
    const sums = (await sign(['--external'])).stdout.trim();
    await writeFile(folder.file('digest'), Buffer.from(sums, 'hex'));
    await writeFile(folder.file('other.key'), otherKey.privatePem);
    execFileSync(
      'openssl',
      ['pkeyutl', '-sign', '-inkey', 'other.key', '-passin', `pass:${passphrase}`, '-in', 'digest', '-out', 'sig.der'],
      {
        cwd: folder.path,
      },
    );
    expect((await sign(['--external', '--signature', 'sig.der', '--trust', 'release.pub'])).code).toBe(4);
    expect((await sign(['--external', '--signature', 'sig.der', '--trust', 'other.pub'])).code).toBe(0);
  });

  test('no such bundle', async () => {
    expect((await airdock(['sign', 'none.tar', '--external'], { cwd: folder.path })).code).toBe(2);
  });
});
