import { readFile, stat, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { parseTrust } from '../../src/bundle/trust.ts';
import { trustRotateDocument } from '../../src/cli/documents/trust-rotate.ts';
import { trustListDocument } from '../../src/vm/commands/trust-documents.ts';
import { temporaryFolder } from '../helpers/bundle.ts';
import { airdock, type CliResult } from '../helpers/cli.ts';
import { Customer, release, writeKey } from '../helpers/customer.ts';
import { chainOf, newKey, password } from '../helpers/key-sets.ts';

vi.setConfig({ testTimeout: 60_000 });

const [root, one, two] = [newKey(), newKey(), newKey()];
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeEach(async () => {
  folder = await temporaryFolder();
  await writeKey(folder.file('root'), root);
  await writeKey(folder.file('release'), one);
  await writeKey(folder.file('release-2'), two);
});
afterEach(() => folder[Symbol.asyncDispose]());

describe('airdock trust rotate', () => {
  const rotate = (args: readonly string[], key = 'root.key'): Promise<CliResult> =>
    airdock(['trust', 'rotate', 'trust.json', '--key', key, ...args], {
      cwd: folder.path,
      env: { AIRDOCK_KEY_PASSWORD: password },
    });

  test('begins a chain, and goes on with it', async () => {
    const begun = await rotate(['--product', 'shop', '--release', 'release.pub', '--json']);
    expect(trustRotateDocument.parse(JSON.parse(begun.stdout))).toEqual({
      schema: 'airdock.trust-rotate/1',
      path: 'trust.json',
      product: 'shop',
      root: root.fingerprint,
      number: 1,
      keys: [one.fingerprint],
      added: [one.fingerprint],
      revoked: [],
    });
    const next = await rotate(['--release', 'release-2.pub', '--note', 'the laptop was lost']);
    expect(next).toMatchObject({ code: 0, stderr: '' });
    expect(next.stdout).toBe(
      `trust.json: key set 2 for shop, signed by the root ${root.fingerprint}\n  signs    ${two.fingerprint}  (new)\n` +
        `  revoked  ${one.fingerprint}\nNext: airdock build … --trust-chain trust.json. Customers who pinned the root get the key set with that bundle.\n`,
    );
    const chain = parseTrust(await readFile(folder.file('trust.json')));
    expect(chain.sets.map(({ note }) => note)).toEqual(['', 'the laptop was lost']);
    expect((await stat(folder.file('trust.json'))).mode & 0o777).toBe(0o644);
  });

  test.each<[string, string[], string, number, string]>([
    ['no key', [], 'root.key', 2, 'the set has no key'],
    ['the keys that it has already', ['--release', 'release.pub'], 'root.key', 2, 'has exactly these keys'],
    ['another product', ['--product', 'notes', '--release', 'release-2.pub'], 'root.key', 2, 'belongs to shop'],
    ['a private key', ['--release', 'release-2.key'], 'root.key', 2, 'not a PEM public key'],
    ['a release key tries to rotate itself', ['--release', 'release-2.pub'], 'release.key', 4, 'its root is'],
    ['the root as a key of releases', ['--release', 'root.pub'], 'root.key', 4, 'the root among the keys'],
    ['a key twice', ['--release', 'release-2.pub', '--release', 'release-2.pub'], 'root.key', 4, 'a key twice'],
  ])('%s: nothing is written', async (_what, args, key, code, why) => {
    const { bytes } = chainOf(root, [[one]]);
    await writeFile(folder.file('trust.json'), bytes);
    expect(await rotate(args, key)).toMatchObject({ code, stdout: '', stderr: expect.stringContaining(why) });
    expect((await readFile(folder.file('trust.json'))).equals(bytes)).toBe(true);
  });

  test('a new one needs its product; a damaged one is not begun anew', async () => {
    expect(await rotate(['--release', 'release.pub'])).toMatchObject({ code: 2, stderr: expect.stringContaining('--product') });
    await expect(stat(folder.file('trust.json'))).rejects.toThrow('ENOENT');
    await writeFile(folder.file('trust.json'), '{');
    expect((await rotate(['--product', 'shop', '--release', 'release.pub'])).code).toBe(4);
    expect(await readFile(folder.file('trust.json'), 'utf8')).toBe('{');
  });
});

describe('a bundle that carries key sets', () => {
  test('is not signed by a key that its own set lacks', async () => {
    await writeFile(folder.file('trust.json'), chainOf(root, [[one], [two]]).bytes);
    const bundle = folder.file('shop.tar');
    await expect(release(bundle, '0.3.0', one, folder.file('trust.json'))).rejects.toMatchObject({ code: 'KEY_NOT_TRUSTED' });
    const verified = await airdock(['verify', bundle, '--trust', 'root.pub'], { cwd: folder.path });
    expect(verified).toMatchObject({ code: 4, stdout: expect.stringContaining('SIGNATURE_MALFORMED') });
  });

  test('verify and inspect: by the root, by a fingerprint', async () => {
    await writeFile(folder.file('trust.json'), chainOf(root, [[one], [two]]).bytes);
    await release(folder.file('shop.tar'), '0.3.0', two, folder.file('trust.json'));
    for (const command of ['verify', 'inspect'])
      for (const trust of [
        ['--trust', 'root.pub'],
        ['--trust', 'release-2.pub'],
        ['--fingerprint', root.fingerprint],
        ['--fingerprint', two.fingerprint],
      ]) {
        const done = await airdock([command, 'shop.tar', ...trust], { cwd: folder.path });
        expect(done).toMatchObject({ code: 0, stdout: expect.stringContaining(two.fingerprint) });
      }
    const old = await airdock(['verify', 'shop.tar', '--fingerprint', one.fingerprint], { cwd: folder.path });
    expect(old).toMatchObject({ code: 4, stdout: expect.stringContaining('KEY_NOT_TRUSTED') });
    const wrong = await airdock(['verify', 'shop.tar', '--fingerprint', 'SHA256:x'], { cwd: folder.path });
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('not a fingerprint') });
  });
});

describe('airdock trust list, add, remove', () => {
  let customer: Customer;
  beforeEach(async () => {
    customer = new Customer(folder.file('customer'));
    await writeFile(folder.file('trust.json'), chainOf(root, [[one], [one, two]]).bytes);
    await release(folder.file('shop.tar'), '0.3.0', one, folder.file('trust.json'));
  });
  const keys = async (): Promise<unknown[]> => {
    const { stdout } = await customer.trust(['list', '--json']);
    return trustListDocument
      .parse(JSON.parse(stdout))
      .keys.map(({ role, fingerprint, counts, set }) => [role, fingerprint, counts, set?.number]);
  };

  test('the root, asked about; what was pinned before counts no more', async () => {
    await customer.install(folder.file('shop.tar'), { given: [one.publicPem] });
    expect(await keys()).toEqual([['release', one.fingerprint, true, undefined]]);
    expect(await customer.trust(['add', 'root.pub'])).toMatchObject({ code: 2, stdout: '' });
    expect(await customer.trust(['add', 'root.pub'], ['n'])).toMatchObject({ code: 2, stdout: '' });
    expect(await keys()).toEqual([['release', one.fingerprint, true, undefined]]);
    const asked = await customer.trust(['add', 'root.pub'], ['y']);
    expect(asked.stderr).toContain(
      `Trust the root ${root.fingerprint}\n  The key ${one.fingerprint} is no longer trusted by itself`,
    );
    expect(asked.stdout).toContain('no key set of this root was seen yet');
    expect(await customer.install(folder.file('shop.tar'))).toBe('done');
    expect(await keys()).toEqual([
      ['release', one.fingerprint, false, undefined],
      ['root', root.fingerprint, true, 2],
    ]);
    // pinned again it forgets nothing
    expect((await customer.trust(['add', 'root.pub', '--yes'])).code).toBe(0);
    expect((await customer.trust(['list'])).stdout).toContain(
      `key set 2 for shop, 2026-11-22\n           signs    ${one.fingerprint}`,
    );
    const more = await customer.trust(['add', 'release-2.pub', '--release', '--yes']);
    expect(more).toMatchObject({ code: 2, stderr: expect.stringContaining('a root is pinned here') });
  });

  test('key sets by hand: of the root and the product that are here, and never fewer', async () => {
    await customer.install(folder.file('shop.tar'), { fingerprints: [root.fingerprint] });
    expect(await keys()).toEqual([['root', root.fingerprint, true, 2]]);
    await writeFile(folder.file('short.json'), chainOf(root, [[one]]).bytes);
    expect((await customer.trust(['add', 'short.json', '--yes'])).code).toBe(0);
    expect(await keys()).toEqual([['root', root.fingerprint, true, 2]]);
    await writeFile(folder.file('fork.json'), chainOf(root, [[two]]).bytes);
    const fork = await customer.trust(['add', 'fork.json', '--yes']);
    expect(fork).toMatchObject({ code: 4, stderr: expect.stringContaining('two different key sets of number 1') });
    await writeFile(folder.file('notes.json'), chainOf(root, [[one]], 'notes').bytes);
    expect((await customer.trust(['add', 'notes.json', '--yes'])).code).toBe(5);
    const text = await readFile(folder.file('trust.json'), 'utf8');
    await writeFile(folder.file('broken.json'), text.replace('"number": 2', '"number": 3'));
    expect((await customer.trust(['add', 'broken.json', '--yes'])).code).toBe(4);
    expect((await customer.trust(['add', 'trust.json', '--release', '--yes'])).code).toBe(2);
    expect((await customer.trust(['add', 'trust.json', '--yes'])).code).toBe(0);
    expect(await keys()).toEqual([['root', root.fingerprint, true, 2]]);
  });

  test('removed: the last one needs a word', async () => {
    await customer.install(folder.file('shop.tar'), { fingerprints: [root.fingerprint] });
    expect(await customer.trust(['remove', one.fingerprint, '--yes'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('Pinned: '),
    });
    const gone = await customer.trust(['remove', root.fingerprint], ['y']);
    expect(gone.stderr).toContain('the next install needs --trust');
    expect(gone.stderr).toContain('and their revocations are forgotten');
    expect(gone.stdout).toBe('No key is trusted here. The next install needs --trust.\n');
    expect(await customer.install(folder.file('shop.tar'))).toBe('TRUST_NEEDED');
  });

  test('where nothing is installed', async () => {
    for (const args of [['list'], ['add', 'root.pub', '--yes'], ['remove', root.fingerprint, '--yes']])
      expect(await customer.trust(args)).toMatchObject({ code: 5, stdout: '' });
    await expect(stat(customer.directory)).rejects.toThrow('ENOENT');
  });
});
