// A full bundle is readable without airdock: by docker, skopeo, ctr, openssl, tar and sha256sum.
import { execa } from 'execa';
import { mkdir, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startHost, type Host } from '../helpers/host.ts';
import { build, bundles, withRegistry } from '../helpers/releases.ts';
import { runFolder, runName } from '../helpers/run-folder.ts';

let releases: Awaited<ReturnType<typeof bundles>>;
let host: Host;
beforeAll(async () => {
  releases = await bundles('0.3.0');
  host = await startHost({ name: runName('formats'), engine: '28.5', store: 'containerd' });
});
afterAll(() => host?.stop());

const api = 'ghcr.io/palazski/nodepad-api:0.3.0';
const all = [api, 'ghcr.io/palazski/nodepad-frontend:0.3.0', 'docker.io/library/postgres:15', 'docker.io/library/redis:7'];

async function manifests(): Promise<Map<string, string>> {
  const { stdout } = await execa('tar', ['-xOf', releases.path('0.3.0'), 'index.json']);
  const index = JSON.parse(stdout) as { manifests: { digest: string; annotations: Record<string, string> }[] };
  return new Map(index.manifests.map(({ digest, annotations }) => [annotations['io.containerd.image.name'] ?? '', digest]));
}

test('docker load takes it as it is, and the digests are the registry’s', async () => {
  await host.docker('load', '-q', '-i', releases.path('0.3.0'));
  const inside = await manifests();
  for (const reference of all)
    expect(await host.docker('image', 'inspect', '-f', '{{.Id}}', reference)).toBe(`${inside.get(reference)}\n`);
  await withRegistry(['0.3.0'], async (address) => {
    for (const reference of all) {
      const path = reference.replace(/^[^/]+/, address);
      const { stdout } = await execa('skopeo', ['inspect', '--tls-verify=false', '--format', '{{.Digest}}', `docker://${path}`]);
      expect(stdout).toBe(inside.get(reference));
    }
  });
  expect(await host.docker('run', '--rm', '--entrypoint', 'python3', api, '-c', 'print(6*7)')).toBe('42\n');
});

test('skopeo reads each image by its name', async () => {
  for (const reference of all) {
    const { stdout } = await execa('skopeo', [
      'inspect',
      '--format',
      '{{.Architecture}}',
      `docker-archive:${releases.path('0.3.0')}:${reference}`,
    ]);
    expect(stdout).toBe('amd64');
  }
});

test('ctr imports it', async () => {
  const { exitCode, stderr } = await host.exec(['ctr', '--namespace', 'imported', 'images', 'import', releases.path('0.3.0')]);
  expect(exitCode, stderr).toBe(0);
  const { stdout } = await host.exec(['ctr', '--namespace', 'imported', 'images', 'ls', '-q']);
  expect(stdout.trim().split('\n')).toEqual(expect.arrayContaining(all));
});

test('the check without airdock, as the guide of a release gives it', async () => {
  const folder = runFolder('check');
  await mkdir(folder, { recursive: true });
  // the lines of the guide (templates/README.md), each of which must print nothing but openssl's
  const script = `set -eu
    test -z "$(tar tf "$1" | sort | uniq -d)"
    test -z "$(tar tvf "$1" | grep -v '^-')"
    tar -C "$2" -xf "$1" && cd "$2"
    base64 -d SHA256SUMS.sig | openssl dgst -sha256 -verify "$3" -signature /dev/stdin SHA256SUMS
    sha256sum -c --quiet SHA256SUMS
    find . -type f ! -path ./SHA256SUMS ! -path ./SHA256SUMS.sig | cut -c3- | LC_ALL=C sort |
      diff - <(cut -c67- SHA256SUMS | LC_ALL=C sort)`;
  const { stdout } = await execa('bash', ['-c', script, 'check', releases.path('0.3.0'), folder, releases.trust]);
  expect(stdout).toContain('Verified OK');
});

test('two builds with the same SOURCE_DATE_EPOCH differ in the signature slot only', async () => {
  const folders = [runFolder('twice', 'a'), runFolder('twice', 'b')];
  await withRegistry(['0.3.0'], async (address) => {
    for (const folder of folders) {
      await mkdir(folder, { recursive: true });
      await build(releases, '0.3.0', address, folder, { SOURCE_DATE_EPOCH: '1700000000' });
    }
  });
  const name = 'nodepad-0.3.0-linux-amd64.bundle.tar';
  const [a = Buffer.alloc(0), b = Buffer.alloc(0)] = await Promise.all(folders.map((folder) => readFile(join(folder, name))));
  const slot = a.indexOf('SHA256SUMS.sig\0') + 512;
  expect(a.length).toBe(b.length);
  const differing: number[] = [];
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) differing.push(i);
  // ECDSA signs with a fresh nonce: the slots do differ
  expect(differing.length).toBeGreaterThan(0);
  expect(differing.every((at) => at >= slot && at < slot + 512)).toBe(true);
  const file = await open(join(folders[0] ?? '', name));
  const { bytesRead, buffer } = await file.read(Buffer.alloc(512), 0, 512, slot);
  await file.close();
  expect(buffer.subarray(0, bytesRead).toString('latin1')).toMatch(/^[A-Za-z0-9+/=]+\n+$/);
});
