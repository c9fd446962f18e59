// A `docker compose up` that was ended in the middle: made by hand in each of its states, and by SIGKILL at many moments.
// compose 2.26 alone fails on some of them ("Conflict. The container name … is already in use").
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startServices } from '../../src/vm/services/compose-up.ts';
import { type Compose, openCompose } from '../../src/io/compose.ts';
import { type Docker, openDocker } from '../../src/io/docker.ts';
import { type Run, run } from '../../src/io/process.ts';
import { cases } from '../helpers/faults.ts';
import { type Host, type HostOptions, startHost } from '../helpers/host.ts';
import { tinyImage } from '../helpers/tiny-image.ts';

const variants: HostOptions[] = [
  { name: 'replaced-20', engine: '20.10', store: 'classic', compose: '2.26' },
  { name: 'replaced-28', engine: '28.5', store: 'containerd', compose: '2.40' },
];

const composeFile = `
services:
  beat: &sleeper
    image: tiny:1
    command: [/bin/busybox, sleep, '1000']
    init: true
    environment: { VERSION: "\${VERSION}" }
    volumes: [/anonymous]
  api:
    <<: *sleeper
    depends_on: [beat]
`;

describe.each(variants)('half replaced, compose $compose on $engine', (variant) => {
  let host: Host;
  let directory: string;
  let docker: Docker;
  let compose: Compose;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'airdock-replaced-'));
    host = await startHost(variant);
    docker = openDocker(host.env['DOCKER_HOST'] ?? '');
    const bound: Run = (command, args, options) => run(command, args, { ...options, env: { ...host.env, ...options?.env } });
    compose = openCompose({
      run: bound,
      endpoint: docker.endpoint,
      project: 'shop',
      directory,
      files: [join(directory, 'compose.yaml')],
      envFile: join(directory, '.env'),
    });
    await tinyImage(host, directory);
    await writeFile(join(directory, 'compose.yaml'), composeFile);
  });
  afterAll(async () => {
    await host.stop();
    await rm(directory, { recursive: true });
  });

  /** 0.2.4 runs, with a row in each anonymous volume; the files say 0.3.0. */
  beforeEach(async () => {
    for (const { id } of await docker.containers({ project: 'shop' }))
      await docker.removeContainer(id, { anonymousVolumes: true });
    await writeFile(join(directory, '.env'), 'VERSION=0.2.4\n');
    await compose.up();
    for (const service of ['beat', 'api'])
      await compose.exec(service, ['/bin/busybox', 'sh', '-c', `echo the row of ${service} >/anonymous/row`]);
    await writeFile(join(directory, '.env'), 'VERSION=0.3.0\n');
  });

  const named = async (name: string) => (await docker.containers({ project: 'shop' })).find((one) => one.name === name);

  /** As compose makes it: the labels of the new one, the old one's anonymous volume, a name of its own for the time being. */
  async function makeReplacement(service: string): Promise<{ old: string; temporary: string }> {
    const found = await named(`shop-${service}-1`);
    if (!found) throw new Error(`no container of ${service}`);
    const hash = (await compose.hashes()).get(service) ?? '';
    const labels = {
      ...found.labels,
      'com.docker.compose.config-hash': hash,
      'com.docker.compose.image': found.imageId,
      'com.docker.compose.replace': variant.compose === '2.26' ? found.id : `${service}-1`,
    };
    const temporary = `${found.id.slice(0, 12)}_shop-${service}-1`;
    const flags = Object.entries(labels).flatMap(([key, value]) => ['--label', `${key}=${value}`]);
    const sleeper = ['-e', 'VERSION=0.3.0', '--init', 'tiny:1', '/bin/busybox', 'sleep', '1000'];
    await host.docker('create', '--name', temporary, '--volumes-from', found.id, '--network=shop_default', ...flags, ...sleeper);
    return { old: found.id, temporary };
  }

  async function expectReplaced(): Promise<void> {
    const containers = await docker.containers({ project: 'shop' });
    expect(containers.map(({ name, state }) => `${name} ${state}`).toSorted()).toEqual([
      'shop-api-1 running',
      'shop-beat-1 running',
    ]);
    for (const service of ['beat', 'api']) {
      const said = await compose.exec(service, ['/bin/busybox', 'sh', '-c', 'echo $VERSION; cat /anonymous/row']);
      expect(said.stdout).toBe(`0.3.0\nthe row of ${service}\n`);
    }
  }

  test.each(cases(['beat'], ['api']))('the new container of %s is made, the old one runs', async (service) => {
    await makeReplacement(service);
    await startServices({ docker, project: 'shop' }, compose);
    await expectReplaced();
  });

  test.each(cases(['beat'], ['api']))('the old container of %s is stopped', async (service) => {
    const { old } = await makeReplacement(service);
    await host.docker('stop', '--time=0', old);
    await startServices({ docker, project: 'shop' }, compose);
    await expectReplaced();
  });

  test.each(cases(['beat'], ['api']))(
    'the old container of %s is gone: the new one, and its volume, are kept',
    async (service) => {
      const { old, temporary } = await makeReplacement(service);
      await host.docker('rm', '--force', old);
      const { id } = (await named(temporary)) ?? {};
      await startServices({ docker, project: 'shop' }, compose, ['beat']);
      expect((await named(`shop-${service}-1`))?.id).toBe(id);
      await startServices({ docker, project: 'shop' }, compose);
      await expectReplaced();
    },
  );

  test('a container that somebody else gave such a name is not ours to remove', async () => {
    const { id = '' } = (await named('shop-beat-1')) ?? {};
    const foreign = `${id.slice(0, 12)}_shop-beat-1`;
    await host.docker('create', '--name', foreign, 'tiny:1', '/bin/busybox', 'true');
    await expect(startServices({ docker, project: 'shop' }, compose)).rejects.toMatchObject({
      code: 'UP_FAILED',
      message: expect.stringContaining(foreign) as string,
    });
    expect(await host.docker('ps', '-aq', '--filter', `name=${foreign}`)).not.toBe('');
    expect((await named('shop-beat-1'))?.id).toBe(id);
    await host.docker('rm', foreign);
  });

  test.each(cases([0.15, 0.35], [0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.8, 1]))('killed after %s s', async (seconds) => {
    const killed = host.spawn(
      ['docker', 'compose', '--project-name', 'shop', '--project-directory', directory, 'up', '--detach', '--pull', 'never'],
      { stdio: 'ignore' },
    );
    await sleep(seconds * 1000);
    // the plugin is a child of docker's: recovery ends it, too (processes.ts)
    if (killed.pid !== undefined && killed.exitCode === null) process.kill(-killed.pid, 'SIGKILL');
    if (killed.exitCode === null && killed.signalCode === null) await once(killed, 'exit');
    await startServices({ docker, project: 'shop' }, compose);
    await expectReplaced();
  });
});
