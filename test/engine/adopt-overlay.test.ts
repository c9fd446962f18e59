// The overlay against the one whose opinion counts: compose's own hash of each service, in each compose version.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compareCompose } from '../../src/vm/adopt/compare.ts';
import { parseRaw, writeRaw } from '../../src/vm/compose-files/raw-yaml.ts';
import { run } from '../../src/io/process.ts';
import { composeConfigs } from '../helpers/compose-plugin.ts';
import { cases } from '../helpers/faults.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'airdock-adopt-'));
  await writeFile(join(directory, '.env'), 'VERSION=1.0\nSECRET=hunter2\nPORT=80\n');
  await writeFile(join(directory, 'more.env'), 'M=1\n');
});
afterAll(() => rm(directory, { recursive: true }));

const release = `
x-app: &app
  image: app:\${VERSION}
  environment: &env
    A: "1"
    SECRET: \${SECRET}
  logging: { driver: json-file, options: { max-size: 1m } }
services:
  api:
    <<: *app
    environment:
      <<: *env
      WORKERS: \${WORKERS:-1}
    command: serve --all
    ports: ["\${PORT}:80"]
    depends_on: { db: { condition: service_healthy }, cache: { condition: service_started } }
    networks: [default, back]
    labels: [l.a=1, l.b=2]
  worker:
    <<: *app
    depends_on: [db, cache]
    deploy: { resources: { limits: { memory: 1g } } }
  db:
    image: postgres:15
    environment: [X=1, Y=2]
    volumes: [data:/data]
    networks: [back]
    healthcheck: { test: [CMD, x], interval: 2s, retries: 3 }
  cache:
    image: redis:7
    networks: [back]
volumes: { data: , spare: }
networks: { back: { internal: true } }
`;

const edits: Record<string, string> = {
  nothing: release,
  'a variable': release.replace('${WORKERS:-1}', '8'),
  'a variable of the anchor, in lists too': release.replace('A: "1"', 'NEW: "$$x"').replace('X=1, Y=2', 'Y=3, Z'),
  ports: release.replace('["${PORT}:80"]', '["8443:443", "127.0.0.1:9:9/udp"]'),
  'no ports': release.replace('    ports: ["${PORT}:80"]\n', ''),
  'an empty list of ports': release.replace('["${PORT}:80"]', '[]'),
  command: release.replace('serve --all', '[serve, --one]'),
  'no command': release.replace('    command: serve --all\n', ''),
  'logging with another driver': release.replace(
    'driver: json-file, options: { max-size: 1m }',
    'driver: local, options: { max-file: "3" }',
  ),
  'a volume, a mount, a label': release
    .replace('data:/data', 'data:/data:ro", "./conf:/conf')
    .replace('[data:/data:ro", "./conf:/conf]', '["data:/data:ro", "./conf:/conf"]')
    .replace('l.a=1, l.b=2', 'l.a=3')
    .replace('data: ,', 'data: { name: other, driver_opts: { k: v } },'),
  'an env_file, octal modes, tmpfs': release.replace(
    '    image: redis:7',
    '    image: redis:7\n    env_file: more.env\n    tmpfs: /x\n    cap_add: [SYS_NICE]',
  ),
  'a healthcheck member, a limit': release.replace('interval: 2s, retries: 3', 'interval: 5s').replace('memory: 1g', 'cpus: "2"'),
  'a dropped service': release
    .replace(/ {2}cache:\n.*\n.*\n/, '')
    .replace(', cache: { condition: service_started }', '')
    .replace('[db, cache]', '[db]'),
  'a service of its own': release.replace(
    '  cache:',
    '  mail:\n    image: mail:1\n    restart: "no"\n    networks: { back: { aliases: [m] } }\n  cache:',
  ),
  'networks and dependencies': release
    .replace('[default, back]', '{ back: { aliases: [a] } }')
    .replace('[db, cache]', '{ db: { condition: service_healthy } }'),
  'a network of its own': release
    .replace('[default, back]', '[front, back]')
    .replace('networks: { back: { internal: true } }', 'networks: { back: {}, front: { driver_opts: { a: b } } }'),
  'a name': `name: shop\n${release}`,
};

describe.each(cases(composeConfigs().slice(-1), composeConfigs().slice(0, -1)))('compose %s', (_version, config) => {
  const compose = async (files: string[], ...args: string[]) => {
    const all = [
      'compose',
      '--project-directory',
      directory,
      '--env-file',
      join(directory, '.env'),
      ...files.flatMap((file) => ['--file', join(directory, file)]),
      ...args,
    ];
    const answer = await run('docker', all, { env: { DOCKER_CONFIG: config } });
    if (answer.exitCode !== 0) throw new Error(answer.stderr);
    return answer.stdout;
  };

  test.each(Object.entries(edits))('%s', async (_name, operator) => {
    const comparison = compareCompose(parseRaw(operator, 'a'), parseRaw(release, 'b'));
    const overlay = writeRaw(comparison.overlay, ' kept').toString();
    await writeFile(join(directory, 'compose.yaml'), release);
    await writeFile(join(directory, 'own.yaml'), operator);
    await writeFile(join(directory, 'compose.adopted.yaml'), overlay);
    await writeFile(
      join(directory, 'compose.override.yaml'),
      'services:\n  api:\n    environment: [LATE=1, A=late]\n    ports: ["7:7"]\n',
    );
    const sorted = (text: string) => text.trim().split('\n').toSorted();
    for (const more of [[], ['compose.override.yaml']]) {
      const own = await compose(['own.yaml', ...more], 'config', '--hash', '*');
      expect(sorted(await compose(['compose.yaml', 'compose.adopted.yaml', ...more], 'config', '--hash', '*'))).toEqual(
        sorted(own),
      );
      // applied to the operator's own file it changes nothing: what stands on disk between two writes is the same stack
      expect(sorted(await compose(['own.yaml', 'compose.adopted.yaml', ...more], 'config', '--hash', '*'))).toEqual(sorted(own));
    }
    expect(overlay).not.toContain('hunter2');
  });
});
