import { readFile, writeFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { errorDocument } from '../../src/cli/documents/error.ts';
import { inspectDocument } from '../../src/cli/documents/inspect.ts';
import { verifyDocument } from '../../src/cli/documents/verify.ts';
import { digestOf } from '../../src/digest.ts';
import { otherKey, temporaryFolder, testKey, writeTestBundle } from '../helpers/bundle.ts';
import { airdock, type CliOptions, type CliResult } from '../helpers/cli.ts';
import { putTogether, takeApart } from '../helpers/forge.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
const cli = (args: readonly string[], options: CliOptions = {}): Promise<CliResult> =>
  airdock(args, { cwd: folder.path, ...options });
const trust = ['--trust', 'release.pub'];

beforeAll(async () => {
  folder = await temporaryFolder();
  await writeTestBundle(folder.file('good.tar'));
  await writeFile(folder.file('release.pub'), testKey.publicPem);
  await writeFile(folder.file('other.pub'), otherKey.publicPem);
  const entries = await takeApart(folder.file('good.tar'));
  await writeFile(folder.file('slim.tar'), putTogether(entries.slice(0, -1)));
  const bytes = await readFile(folder.file('good.tar'));
  bytes[bytes.length - 1024 - 512] = 0;
  await writeFile(folder.file('bad.tar'), bytes);
});
afterAll(() => folder[Symbol.asyncDispose]());

describe('airdock verify', () => {
  test('a good bundle: exit 0', async () => {
    const { code, stdout, stderr } = await cli(['verify', 'good.tar', ...trust]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: `shop 0.3.0 is complete and signed by ${testKey.fingerprint}.\n` });
    expect(stderr).toMatch(/^ {2}✔ verify +signed by SHA256:\S+ +\d+\.\d s\n$/);
  });

  test('--trust may be given several times', async () => {
    expect((await cli(['verify', 'good.tar', '--trust', 'other.pub', ...trust])).code).toBe(0);
  });

  test('--json: one document, progress as NDJSON', async () => {
    const { stdout, stderr } = await cli(['verify', 'good.tar', ...trust, '--json']);
    expect(verifyDocument.parse(JSON.parse(stdout))).toMatchObject({
      ok: true,
      product: 'shop',
      version: '0.3.0',
      key: testKey.fingerprint,
    });
    const events = stderr
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string });
    expect(events[0]).toEqual({ type: 'step-started', step: 'verify' });
    expect(events.at(-1)).toMatchObject({ type: 'step-ended', outcome: 'done' });
  });

  test('a slim bundle is good, and says what it leaves out; --full wants it', async () => {
    const slim = await cli(['verify', 'slim.tar', ...trust]);
    expect(slim.code).toBe(0);
    expect(slim.stdout).toMatch(/Left out, .*\(1\):\n {2}blobs\/sha256\//);
    const full = await cli(['verify', 'slim.tar', ...trust, '--full', '--json']);
    expect(full.code).toBe(4);
    expect(verifyDocument.parse(JSON.parse(full.stdout))).toMatchObject({
      ok: false,
      findings: [{ code: 'BUNDLE_ENTRY_MISSING' }],
    });
  });

  test.each([
    ['a flipped byte', 4, ['verify', 'bad.tar', ...trust], 'BUNDLE_'],
    ['another key', 4, ['verify', 'good.tar', '--trust', 'other.pub'], 'SIGNATURE_INVALID'],
    ['no bundle at all', 4, ['verify', 'release.pub', ...trust], 'BUNDLE_'],
  ])('%s: exit %i, the code is named', async (_what, exit, args, code) => {
    const text = await cli(args);
    expect(text.code).toBe(exit);
    expect(text.stdout).toContain(code);
    expect(text.stdout).toContain('Next: ');
    const json = verifyDocument.parse(JSON.parse((await cli([...args, '--json'])).stdout));
    expect(json.ok).toBe(false);
    expect(json.findings[0]?.code).toContain(code);
  });

  test.each([
    ['no key', 'TRUST_NEEDED', ['verify', 'good.tar']],
    ['a key that is not there', 'FILE_NOT_FOUND', ['verify', 'good.tar', '--trust', 'none.pub']],
    ['a key that is none', 'KEY_UNREADABLE', ['verify', 'good.tar', '--trust', 'good.tar']],
    ['a bundle that is not there', 'FILE_NOT_FOUND', ['verify', 'none.tar', ...trust]],
  ])('%s: exit 2', async (_what, code, args) => {
    expect((await cli(args)).code).toBe(2);
    const json = await cli([...args, '--json']);
    expect(errorDocument.parse(JSON.parse(json.stdout))).toMatchObject({ code, exitCode: 2 });
  });

  test('an interruption: exit 130', async () => {
    const { code } = await cli(['verify', 'good.tar', ...trust], { signal: AbortSignal.abort() });
    expect(code).toBe(130);
  });
});

describe('airdock inspect', () => {
  test('shows what a bundle carries', async () => {
    const { code, stdout } = await cli(['inspect', 'good.tar', ...trust]);
    expect(code).toBe(0);
    for (const text of [
      'shop 0.3.0 for linux/amd64',
      'docker.io/library/postgres:15',
      'compose.yaml',
      '0.3.0  expand',
      testKey.fingerprint,
    ]) {
      expect(stdout).toContain(text);
    }
  });

  test('--json', async () => {
    const { stdout } = await cli(['inspect', 'slim.tar', ...trust, '--json']);
    const document = inspectDocument.parse(JSON.parse(stdout));
    expect(document.signature).toEqual({ key: testKey.fingerprint });
    expect(document.images).toHaveLength(3);
    expect(document.leftOut).toHaveLength(1);
  });

  test('shows nothing of a bundle that nobody trusted signed', async () => {
    const { code, stdout } = await cli(['inspect', 'good.tar', '--trust', 'other.pub']);
    expect({ code, stdout }).toEqual({ code: 4, stdout: '' });
    expect((await cli(['inspect', 'good.tar'])).code).toBe(2);
  });
});

describe('airdock verify --self', () => {
  const program = gzipSync('the program');
  const signed = async (name: string, path: string): Promise<void> => {
    await writeTestBundle(folder.file(name), { files: { [path]: program } });
    await writeFile(folder.file('same'), 'the program');
    await writeFile(folder.file('other'), 'another program');
  };
  const own = `bin/airdock-linux-${process.arch}.gz`;

  test('the program that the bundle was signed with', async () => {
    await signed('self.tar', own);
    const { code, stdout } = await cli(['verify', '--self', 'self.tar', ...trust], { self: { executable: folder.file('same') } });
    expect(code).toBe(0);
    expect(stdout).toContain(`This program is the one that it carries: ${digestOf('the program')}\n`);
  });

  test('another one: exit 4, and both digests', async () => {
    await signed('self.tar', own);
    const self = { executable: folder.file('other') };
    const { code, stdout } = await cli(['verify', '--self', 'self.tar', ...trust, '--json'], { self });
    expect(code).toBe(4);
    const { ok, findings } = verifyDocument.parse(JSON.parse(stdout));
    expect({ ok, code: findings[0]?.code }).toEqual({ ok: false, code: 'EXECUTABLE_MISMATCH' });
    expect(findings[0]?.text).toContain(digestOf('another program'));
    expect(findings[0]?.text).toContain(digestOf('the program'));
  });

  test('a bundle without one, or of another platform: exit 4', async () => {
    const self = { executable: folder.file('same') };
    await signed('arm.tar', `bin/airdock-linux-${process.arch === 'x64' ? 'arm64' : 'x64'}.gz`);
    for (const name of ['good.tar', 'arm.tar']) {
      const { code, stdout } = await cli(['verify', '--self', name, ...trust], { self });
      expect({ code, stdout }).toMatchObject({ code: 4, stdout: expect.stringContaining('BUNDLE_ENTRY_MISSING') });
    }
  });

  test('a program run from a checkout has nothing to compare: exit 2', async () => {
    const { code, stderr } = await cli(['verify', '--self', 'good.tar', ...trust]);
    expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringContaining('checkout') });
  });
});
