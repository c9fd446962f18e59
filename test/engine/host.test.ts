// What the other engine tests stand on: hosts are real, apart, and cut off.
import { execa } from 'execa';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cases } from '../helpers/faults.ts';
import { type Host, type HostOptions, startHost } from '../helpers/host.ts';
import { startPoller } from '../helpers/poller.ts';
import { startRegistry } from '../helpers/registry.ts';

const variants: HostOptions[] = [
  { name: 'selftest-20', engine: '20.10', store: 'classic', compose: '2.26' },
  { name: 'selftest-28', engine: '28.5', store: 'containerd', compose: '2.40' },
];
const composeFile = `
services:
  web:
    image: tiny:1
    init: true
    command: [/bin/busybox, httpd, -f, -p, '80', -h, /www]
    ports: ['8080:80']
    restart: always
`;

describe.each(cases(variants.slice(0, 1), variants.slice(1)))('$name', (variant) => {
  let host: Host;
  let directory: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'airdock-host-'));
    host = await startHost(variant);
    const root = join(directory, 'root');
    await execa`mkdir -p ${root}/bin ${root}/www`;
    await execa`cp /bin/busybox ${root}/bin/busybox`;
    await writeFile(join(root, 'www/health'), '{"version":"1"}');
    await writeFile(join(directory, 'compose.yaml'), composeFile);
    await execa`tar -C ${root} -cf ${directory}/tiny.tar .`;
    await host.docker('import', join(directory, 'tiny.tar'), 'tiny:1');
    await host.compose(directory, 'up', '-d', '--wait');
  });
  afterAll(async () => {
    await host.stop();
    await rm(directory, { recursive: true });
  });

  test('is the engine it says it is', async () => {
    expect(await host.docker('version', '-f', '{{.Server.Version}}')).toContain(`${variant.engine}.`);
    expect(await host.docker('compose', 'version')).toContain(`${variant.compose}.`);
    const status = await host.docker('info', '-f', '{{.DriverStatus}}');
    expect(status.includes('io.containerd.snapshotter.v1')).toBe(variant.store === 'containerd');
  });

  test('answers inside, and only there', async () => {
    expect(await host.curl('http://127.0.0.1:8080/health')).toEqual({ status: 200, body: '{"version":"1"}' });
    expect((await execa({ reject: false })`curl -s -m 2 http://127.0.0.1:8080/health`).exitCode).toBe(7);
  });

  test('has no way out', async () => {
    expect((await host.exec(['ip', 'route', 'get', '192.0.2.1'])).exitCode).not.toBe(0);
    expect(await host.curl('http://192.0.2.1/')).toMatchObject({ status: 0 });
    const inner = await host.exec(['docker', 'run', '--rm', 'tiny:1', '/bin/busybox', 'nc', '-w', '3', '192.0.2.1', '80']);
    expect(inner.stderr).toContain('Network is unreachable');
  });

  test('hands over stdin, environment, directory, exit code and kills', async () => {
    const { stdout } = await host.exec(['sh', '-c', 'cat; echo $A $PWD'], { input: 'in ', env: { A: 'b' }, cwd: directory });
    expect(stdout).toBe(`in b ${directory}\n`);
    expect((await host.exec(['sh', '-c', 'exit 7'])).exitCode).toBe(7);
    expect((await host.exec(['sh', '-c', 'kill -9 $$'])).exitCode).toBe(137);
    expect((await host.exec(['no-such-program'])).exitCode).toBe(127);
    const aborted = await host.exec(['sleep', '60'], { signal: AbortSignal.timeout(100) });
    expect(aborted.exitCode).toBe(143);
    const child = host.spawn(['sh', '-c', 'sleep 60'], { stdio: 'ignore' });
    process.kill(-(child.pid ?? 0), 'SIGKILL');
    expect(await new Promise((resolve) => child.once('exit', (_, signal) => resolve(signal)))).toBe('SIGKILL');
  });

  test('the poller sees an engine restart, and only that', async () => {
    const poller = await startPoller(host, 'http://127.0.0.1:8080/health');
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const stopping = Date.now();
    await host.restartEngine();
    await expect.poll(async () => (await host.curl('http://127.0.0.1:8080/health')).status).toBe(200);
    const back = Date.now();
    await new Promise((resolve) => setTimeout(resolve, 500));
    const report = await poller.stop();
    expect(report.gaps(2000, { to: stopping })).toEqual([]);
    expect(report.gaps(2000, { from: back + 300 })).toEqual([]);
    expect(report.longestGap({ from: stopping, to: back })).toBeGreaterThan(200);
    expect(report.versionsBetween(report.started, report.stopped)).toEqual(['1']);
  });

  test('comes back from a power cut, and from a snapshot', async () => {
    await host.snapshot(`${variant.name}-s`);
    await host.docker('rm', '-f', ...(await host.docker('ps', '-aq')).trim().split('\n'));
    await host.restore(`${variant.name}-s`);
    await expect.poll(async () => (await host.curl('http://127.0.0.1:8080/health')).status, { timeout: 30_000 }).toBe(200);
    await host.crash();
    await host.start();
    await expect.poll(async () => (await host.curl('http://127.0.0.1:8080/health')).status, { timeout: 30_000 }).toBe(200);
  });

  test('leaves nothing behind', async () => {
    await host.stop();
    await host.forget(`${variant.name}-s`);
    expect((await execa`mount`).stdout).not.toContain(`/${variant.name}/`);
    expect((await execa`ip netns list`).stdout).not.toContain(variant.name);
    expect((await execa`find /sys/fs/cgroup -path */airdock/${variant.name}`).stdout).toBe('');
    expect((await execa`ps -eo stat,args`).stdout).not.toMatch(new RegExp(`^[^Z].*/run/airdock/${variant.name}/`, 'm'));
  });
});

test('a registry wants its password and tells what was asked', async () => {
  const registry = await startRegistry({ name: 'selftest', auth: { user: 'ci', password: 'a:b' } });
  try {
    expect((await fetch(`${registry.url}/v2/`)).status).toBe(401);
    const authorization = `Basic ${Buffer.from('ci:a:b').toString('base64')}`;
    expect((await fetch(`${registry.url}/v2/_catalog`, { headers: { authorization } })).status).toBe(200);
    expect(await registry.requests()).toContain('GET /v2/_catalog 200');
  } finally {
    await registry.stop();
  }
});
