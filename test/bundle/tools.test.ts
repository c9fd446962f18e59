import { execFileSync } from 'node:child_process';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { otherKey, temporaryFolder, testKey, writeTestBundle, type TestBundle } from '../helpers/bundle.ts';
import { devFolder } from '../helpers/dev-folder.ts';

/** FORMAT.md 11: the bundle as tools see it that know nothing of airdock. */
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let release: TestBundle;
const sh = (script: string): string =>
  execFileSync('bash', ['-euo', 'pipefail', '-c', script], { cwd: folder.path, encoding: 'utf8', stdio: 'pipe' });

beforeAll(async () => {
  folder = await temporaryFolder();
  release = await writeTestBundle(folder.file('FILE'));
  await writeFile(folder.file('release.pub'), testKey.publicPem);
  await mkdir(folder.file('check'));
});
afterAll(() => folder[Symbol.asyncDispose]());

describe('without airdock', () => {
  test('tar lists it and finds no entry twice', () => {
    expect(sh('tar tf FILE | sort | uniq -d')).toBe('');
    expect(sh('tar tf FILE').split('\n').slice(0, 3)).toEqual(['SHA256SUMS', 'SHA256SUMS.sig', 'bundle.json']);
  });

  test('openssl verifies the signature, sha256sum the files, and none is unlisted', async () => {
    sh('tar -C check -xf FILE');
    expect(
      sh('cd check && base64 -d SHA256SUMS.sig | openssl dgst -sha256 -verify ../release.pub -signature /dev/stdin SHA256SUMS'),
    ).toBe('Verified OK\n');
    expect(sh('cd check && sha256sum -c --quiet SHA256SUMS')).toBe('');
    const unlisted = `find . -type f ! -name SHA256SUMS ! -name SHA256SUMS.sig -printf '%P\\n' | LC_ALL=C sort >../have
      cut -c67- SHA256SUMS | LC_ALL=C sort | comm -13 - ../have`;
    expect(sh(`cd check && ${unlisted}`)).toBe('');
    await writeFile(folder.file('check/extra'), 'x');
    expect(sh(`cd check && ${unlisted}`)).toBe('extra\n');
    expect(await readdir(folder.file('check'))).toContain('compose.yaml');
  });

  test('cosign verifies the signature, with the key and with no other', async () => {
    const verify = (key: string): string =>
      sh(
        `cd check && '${devFolder('cosign/bin/cosign')}' verify-blob --key ../${key} --signature SHA256SUMS.sig --insecure-ignore-tlog=true SHA256SUMS 2>&1 || true`,
      );
    await writeFile(folder.file('other.pub'), otherKey.publicPem);
    expect(verify('release.pub')).toContain('Verified OK');
    expect(verify('other.pub')).toMatch(/invalid signature/);
  });

  test('skopeo finds the images by their references', () => {
    for (const { reference, layers } of release.manifest.images) {
      const shown = JSON.parse(sh(`skopeo inspect docker-archive:FILE:${reference}`)) as { Layers: string[] };
      expect(shown.Layers).toHaveLength(layers.length);
    }
  });
});
