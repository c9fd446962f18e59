import { readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { readPrivateKey, readPublicKey } from '../../src/bundle/keys.ts';
import { keygenDocument } from '../../src/cli/documents/keygen.ts';
import { temporaryFolder } from '../helpers/bundle.ts';
import { airdock } from '../helpers/cli.ts';

describe('airdock keygen', () => {
  test('writes an encrypted key that only its owner reads, and a public key', async () => {
    await using folder = await temporaryFolder();
    const { code, stdout } = await airdock(['keygen'], { cwd: folder.path, env: { AIRDOCK_KEY_PASSWORD: 'pw' } });
    expect(code).toBe(0);
    expect(stdout).toMatch(/fingerprint {2}SHA256:[A-Za-z0-9+/]{43}\n/);
    expect((await stat(folder.file('release.key'))).mode & 0o777).toBe(0o600);
    readPrivateKey(await readFile(folder.file('release.key'), 'utf8'), 'pw');
    readPublicKey(await readFile(folder.file('release.pub'), 'utf8'));
  });

  test('--out, --key-password-file, --json', async () => {
    await using folder = await temporaryFolder();
    await writeFile(folder.file('pw'), 'from a file\n');
    const { code, stdout } = await airdock(['keygen', '--out', 'next', '--key-password-file', 'pw', '--json'], {
      cwd: folder.path,
    });
    expect(code).toBe(0);
    expect(keygenDocument.parse(JSON.parse(stdout))).toMatchObject({ privateKey: 'next.key', publicKey: 'next.pub' });
    readPrivateKey(await readFile(folder.file('next.key'), 'utf8'), 'from a file');
  });

  test('asks on a terminal, twice', async () => {
    await using folder = await temporaryFolder();
    expect((await airdock(['keygen'], { cwd: folder.path, answers: ['a', 'b'] })).code).toBe(2);
    expect((await airdock(['keygen'], { cwd: folder.path, answers: ['', ''] })).code).toBe(2);
    expect(await readdir(folder.path)).toEqual([]);
    expect((await airdock(['keygen'], { cwd: folder.path, answers: ['a', 'a'] })).code).toBe(0);
    readPrivateKey(await readFile(folder.file('release.key'), 'utf8'), 'a');
  });

  test('no password: exit 2, no file', async () => {
    await using folder = await temporaryFolder();
    for (const env of [{}, { AIRDOCK_KEY_PASSWORD: '' }]) {
      const { code, stderr } = await airdock(['keygen'], { cwd: folder.path, env });
      expect(code).toBe(2);
      expect(stderr).toContain('AIRDOCK_KEY_PASSWORD');
    }
    expect(await readdir(folder.path)).toEqual([]);
  });

  test.each(['release.key', 'release.pub'])('never overwrites %s', async (name) => {
    await using folder = await temporaryFolder();
    await writeFile(folder.file(name), 'the only one');
    const { code, stderr } = await airdock(['keygen'], { cwd: folder.path, env: { AIRDOCK_KEY_PASSWORD: 'pw' } });
    expect(code).toBe(2);
    expect(stderr).toContain('never overwritten');
    expect(await readFile(folder.file(name), 'utf8')).toBe('the only one');
    expect(await readdir(folder.path)).toEqual([name]);
  });

  test('a password is no argument', async () => {
    const { code } = await airdock(['keygen', '--key-password', 'pw']);
    expect(code).toBe(2);
  });
});
