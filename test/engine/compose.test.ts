import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Compose, openCompose } from '../../src/io/compose.ts';
import { type Docker, openDocker } from '../../src/io/docker.ts';
import { resolveEndpoint } from '../../src/io/endpoint.ts';
import { type Run, run } from '../../src/io/process.ts';
import { type Host, type HostOptions, startHost } from '../helpers/host.ts';
import { tinyImage } from '../helpers/tiny-image.ts';

const variants: HostOptions[] = [
  { name: 'compose-20', engine: '20.10', store: 'classic', compose: '2.26' },
  { name: 'compose-28', engine: '28.5', store: 'containerd', compose: '2.40' },
];

const composeFile = `
services:
  one:
    image: tiny:1
    command: [/bin/busybox, sleep, '1000']
    stop_signal: SIGKILL
    environment: { VERSION: "\${VERSION:-none}" }
    volumes: ['data:/data']
    depends_on: [two]
  two:
    image: tiny:1
    command: [/bin/busybox, sleep, '1000']
    stop_signal: SIGKILL
    healthcheck: { test: [CMD, /bin/busybox, 'true'], interval: 1s }
  extra:
    image: tiny:1
    profiles: [extra]
volumes:
  data:
`;

describe.each(variants)('compose $compose on $engine', (variant) => {
  let host: Host;
  let directory: string;
  let docker: Docker;
  let compose: Compose;
  let bound: Run;
  const open = (more: Partial<Parameters<typeof openCompose>[0]> = {}) =>
    openCompose({
      run: bound,
      endpoint: docker.endpoint,
      project: 'shop',
      directory,
      files: [join(directory, 'compose.yaml')],
      envFile: join(directory, '.env'),
      ...more,
    });
  const idOf = async (service: string) =>
    (await docker.containers({ project: 'shop' })).find((one) => one.service === service)?.id;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'airdock-compose-'));
    host = await startHost(variant);
    docker = openDocker(host.env['DOCKER_HOST'] ?? '');
    bound = (command, args, options) => run(command, args, { ...options, env: { ...host.env, ...options?.env } });
    await tinyImage(host, directory);
    await writeFile(join(directory, 'compose.yaml'), composeFile);
    await writeFile(join(directory, 'other.yaml'), 'services: { stranger: { image: nothing } }\n');
    // What an operator's .env may hold, and must not change what is done with that project.
    await writeFile(
      join(directory, '.env'),
      'VERSION=0.2.4\nCOMPOSE_PROJECT_NAME=other\nCOMPOSE_FILE=other.yaml\nCOMPOSE_REMOVE_ORPHANS=1\n',
    );
    vi.stubEnv('VERSION', '9.9.9');
    vi.stubEnv('COMPOSE_PROFILES', 'extra');
    compose = open();
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    await host.stop();
    await rm(directory, { recursive: true });
  });

  test('version', async () => {
    expect(await compose.version()).toMatch(new RegExp(`^${variant.compose}\\.`));
  });

  test('the model is that of the given files and of .env, whatever the shell has exported', async () => {
    const model = await compose.config();
    expect(model.name).toBe('shop');
    expect(Object.keys(model.services).toSorted()).toEqual(['one', 'two']);
    expect(model.services['one']?.environment).toEqual({ VERSION: '0.2.4' });
    expect(Object.keys((await open({ profiles: ['extra'] }).config()).services)).toContain('extra');
  });

  test('up starts them; the hashes of the files are those of the containers; a second up changes nothing', async () => {
    await compose.up();
    const containers = await docker.containers({ project: 'shop' });
    const hashes = await compose.hashes();
    expect(containers).toHaveLength(2);
    for (const one of containers) {
      expect(one).toMatchObject({
        state: 'running',
        image: 'tiny:1',
        oneOff: false,
        workingDir: directory,
        configFiles: [join(directory, 'compose.yaml')],
        configHash: hashes.get(one.service),
        addresses: { shop_default: expect.stringMatching(/^\d+\.\d+\.\d+\.\d+$/) as string },
      });
    }
    await compose.up();
    expect((await docker.containers({ project: 'shop' })).map(({ id }) => id).toSorted()).toEqual(
      containers.map(({ id }) => id).toSorted(),
    );
    expect(await docker.volumes('shop')).toMatchObject([{ name: 'shop_data' }]);
    expect(await docker.networks('shop')).toMatchObject([{ name: 'shop_default' }]);
    await vi.waitFor(async () => {
      expect((await docker.containers({ project: 'shop' })).find(({ service }) => service === 'two')?.health).toBe('healthy');
    }, 20_000);
  });

  test('containers that the files do not name stay, even when .env says otherwise', async () => {
    await writeFile(
      join(directory, 'less.yaml'),
      composeFile.replace('  extra:', '  third:').replace(/ {2}one:[^]*? {2}two:/, '  two:'),
    );
    const before = await idOf('one');
    await open({ files: [join(directory, 'less.yaml')] }).up();
    expect(await idOf('one')).toBe(before);
  });

  test('a one-shot: exit code, labels, values of its environment in no process list', async () => {
    const two = await idOf('two');
    const lines: string[] = [];
    const running = compose.run('one', ['/bin/busybox', 'sh', '-c', 'echo "$SECRET"; echo - >&2; /bin/busybox sleep 2; exit 3'], {
      env: { SECRET: 'tiger-tiger' },
      labels: { 'airdock.transaction': 't1' },
      name: 'shop-migrate-t1',
      onLine: (line) => lines.push(line),
    });
    await vi.waitFor(() => expect(lines).toContain('tiger-tiger'), 10_000);
    const [container] = await docker.containers({ label: 'airdock.transaction=t1' });
    expect(container).toMatchObject({ name: 'shop-migrate-t1', oneOff: true, service: 'one' });
    expect(await commandLines()).not.toContain('tiger-tiger');
    expect(await running).toMatchObject({ exitCode: 3, stdout: 'tiger-tiger\n' });
    expect(await docker.containers({ label: 'airdock.transaction=t1' })).toEqual([]);
    expect(await idOf('two')).toBe(two);
  });

  test('arguments that look like flags reach the program', async () => {
    expect(await compose.run('two', ['/bin/busybox', 'echo', '--rm', '-T'])).toMatchObject({ stdout: '--rm -T\n' });
    expect(await compose.exec('two', ['/bin/busybox', 'echo', '--env', 'X'])).toMatchObject({ stdout: '--env X\n' });
  });

  test('exec hands on bytes as they are, the environment, and the exit code', async () => {
    const bytes = randomBytes(300_000);
    const got: Buffer[] = [];
    const stdout = new Writable({
      write(chunk: Buffer, _encoding, done) {
        got.push(chunk);
        done();
      },
    });
    expect(await compose.exec('two', ['/bin/busybox', 'cat'], { input: bytes, stdout })).toMatchObject({ exitCode: 0 });
    expect(Buffer.concat(got).equals(bytes)).toBe(true);
    const answer = await compose.exec('two', ['/bin/busybox', 'sh', '-c', 'echo "$SECRET"; exit 7'], { env: { SECRET: 'x y' } });
    expect(answer).toMatchObject({ exitCode: 7, stdout: 'x y\n' });
  });

  test('an interrupted exec ends here', async () => {
    const controller = new AbortController();
    const running = compose.exec('two', ['/bin/busybox', 'sleep', '100'], { signal: controller.signal });
    setTimeout(() => controller.abort(), 500);
    await expect(running).rejects.toMatchObject({ code: 'INTERRUPTED' });
  });

  test('stop and remove', async () => {
    await compose.stop(['one']);
    expect((await docker.containers({ project: 'shop' })).find(({ service }) => service === 'one')).toMatchObject({
      state: 'exited',
      exitCode: 137,
    });
    await compose.remove(['one']);
    expect(await idOf('one')).toBeUndefined();
    await compose.remove(['one']);
    expect(await idOf('two')).toBeDefined();
  });

  test('failures say what compose said', async () => {
    await writeFile(join(directory, 'bad.yaml'), composeFile.replace('image: tiny:1', 'image: airdock.invalid/none:1'));
    await expect(open({ files: [join(directory, 'bad.yaml')] }).up(['one'])).rejects.toMatchObject({
      code: 'UP_FAILED',
      message: expect.stringMatching(/no such image|airdock.invalid\/none:1/i) as string,
    });
    await writeFile(join(directory, 'override.yaml'), 'services: { dropped: { environment: { A: b } } }\n');
    await expect(open({ files: [...compose.files, join(directory, 'override.yaml')] }).config()).rejects.toMatchObject({
      code: 'COMPOSE_INVALID',
      message: expect.stringMatching(/dropped.*neither an image nor a build context/) as string,
    });
    await expect(open({ endpoint: 'unix:///run/airdock/no.sock' }).up()).rejects.toMatchObject({ code: 'ENGINE_UNREACHABLE' });
  });

  test('without the plugin, and without docker', async () => {
    await mkdir(join(directory, 'empty'), { recursive: true });
    const elsewhere = (env: Record<string, string>): Run => {
      return (command, args, options) => bound(command, args, { ...options, env: { ...options?.env, ...env } });
    };
    const without = open({ run: elsewhere({ DOCKER_CONFIG: join(directory, 'empty') }) });
    await expect(without.version()).rejects.toMatchObject({ code: 'COMPOSE_UNAVAILABLE' });
    await expect(without.config()).rejects.toMatchObject({ code: 'COMPOSE_UNAVAILABLE' });
    await expect(open({ run: elsewhere({ PATH: join(directory, 'empty') }) }).version()).rejects.toMatchObject({
      code: 'COMPOSE_UNAVAILABLE',
    });
  });

  test('the endpoint: DOCKER_HOST, else the context, else the socket', async () => {
    const config = join(directory, 'contexts');
    await mkdir(config, { recursive: true });
    // an empty DOCKER_HOST would already mean "not the context" to the CLI of 20.10
    const { DOCKER_HOST: _, ...env } = host.env;
    const contexts: Run = (command, args, options) => run(command, args, { ...options, env: { ...env, DOCKER_CONFIG: config } });
    expect(await resolveEndpoint({ DOCKER_HOST: 'unix:///a.sock' }, contexts)).toBe('unix:///a.sock');
    expect(await resolveEndpoint({}, contexts)).toBe('unix:///var/run/docker.sock');
    await contexts('docker', ['context', 'create', 'mine', '--docker', 'host=unix:///run/user/1000/docker.sock']);
    await contexts('docker', ['context', 'use', 'mine']);
    expect(await resolveEndpoint({}, contexts)).toBe('unix:///run/user/1000/docker.sock');
    await expect(resolveEndpoint({ DOCKER_HOST: 'ssh://vm' }, contexts)).rejects.toMatchObject({ code: 'ENGINE_UNREACHABLE' });
  });
});

async function commandLines(): Promise<string> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  return (await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')))).join('\n');
}
