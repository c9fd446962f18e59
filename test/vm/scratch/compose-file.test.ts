import { describe, expect, test } from 'vitest';
import { parseEnvFile } from '../../../src/vm/env/file.ts';
import { rehearsalServices } from '../../../src/vm/scratch/rehearsal-services.ts';
import { scratchFile } from '../../../src/vm/scratch/compose-file.ts';
import type { ComposeModel } from '../../../src/io/compose.ts';
import { makeRelease } from '../../helpers/bundle.ts';

type File = {
  services: Record<string, Record<string, unknown> & { command?: string[]; environment?: Record<string, string> }>;
  networks: Record<string, Record<string, unknown>>;
};
const base = { directory: '/opt/$5', service: 'db', image: `sha256:${'a'.repeat(64)}`, password: 'p$w' };
const fileOf = (more: Partial<Parameters<typeof scratchFile>[0]>): File =>
  JSON.parse(scratchFile({ ...base, live: {}, ...more })) as File;

const live = {
  image: 'postgres:15',
  command: ['postgres', '-c', 'shared_preload_libraries=pg_stat_statements', '-c', 'fsync=on', '-c', 'archive_mode=on'],
  environment: { POSTGRES_PASSWORD: 'of production' },
  ports: [{ target: 5432, published: '5432' }],
  restart: 'always',
  volumes: [
    { type: 'volume', source: 'pgdata', target: '/var/lib/postgresql/data' },
    { type: 'bind', source: '/srv/data', target: '/data' },
    { type: 'bind', source: '/srv/pg.conf', target: '/etc/pg.conf', read_only: true },
    { type: 'bind', source: '/srv/init', target: '/docker-entrypoint-initdb.d', read_only: true },
  ],
};

describe('the scratch server', () => {
  const { services, networks } = fileOf({ live });
  const db = services['db']!;
  test('runs the image of the live one as it is told to, but for what makes it durable or reaches out', () => {
    expect(Object.keys(services)).toEqual(['db']);
    expect(db['image']).toBe(base.image);
    const command = db.command!;
    expect(command.slice(0, 3)).toEqual(live.command.slice(0, 3));
    for (const setting of ['fsync', 'archive_mode']) {
      const given = command.filter((one) => one.startsWith(`${setting}=`));
      expect(given).toEqual([`${setting}=on`, `${setting}=off`]); // the last one wins
    }
    expect(fileOf({}).services['db']!.command!.slice(0, 3)).toEqual(['postgres', '-c', 'fsync=off']);
  });
  test('has no port, no volume of production, no secret of production', () => {
    expect(db['ports']).toBeUndefined();
    expect(db['volumes']).toEqual([{ type: 'bind', source: '/srv/pg.conf', target: '/etc/pg.conf', read_only: true }]);
    expect(db.environment).toEqual({
      POSTGRES_USER: 'airdock_scratch',
      POSTGRES_DB: 'airdock_scratch',
      POSTGRES_PASSWORD: 'p$$w',
    });
    expect(db['restart']).toBe('no');
  });
  test('is on a network without a way out, not even to the host, and everything is labelled', () => {
    expect(networks).toMatchObject({ default: { internal: true, labels: { 'airdock.scratch': '/opt/$$5' } } });
    expect(networks['default']!['driver_opts']).toMatchObject({ 'com.docker.network.bridge.inhibit_ipv4': 'true' });
    expect(db['labels']).toEqual({ 'airdock.scratch': '/opt/$$5' });
    expect(db['dns']).toEqual(['127.0.0.1']);
  });
});

describe('services beside it in a rehearsal', () => {
  const model: ComposeModel = {
    name: 'notes',
    services: {
      api: {
        image: 'api:1',
        environment: { QUEUE: 'redis://redis', SECRET: 'a$$b' },
        healthcheck: { test: ['CMD', 'true'] },
        ports: [{ target: 80 }],
        volumes: [{ type: 'volume', source: 'files', target: '/files' }],
        networks: { default: null },
      },
      redis: {
        image: 'redis:7',
        command: ['redis-server'],
        volumes: [{ type: 'volume', source: 'redis', target: '/data' }],
        restart: 'always',
      },
    },
  };
  const { manifest } = makeRelease({ version: '0.3.0' });
  const env = parseEnvFile('POSTGRES_PASSWORD=x$$y\nEMPTY=\n', '.env');
  const service = manifest.migration.service;
  const services = { ...model, services: { ...model.services, [service]: model.services['api']! } };

  test('declared: exactly those variables, with values of .env', () => {
    const rehearsal = { env: { PASSWORD: '${POSTGRES_PASSWORD}', HOST: 'db', USER: '${EMPTY:-app}' }, dependencies: ['redis'] };
    const found = rehearsalServices({ ...manifest, rehearsal }, services, env);
    const file = fileOf({ others: { ...found.dependencies, ...found.oneShot } });
    const expanded = env.expanded('POSTGRES_PASSWORD')!;
    expect(file.services[service]).toMatchObject({
      image: 'api:1',
      environment: { PASSWORD: expanded.replaceAll('$', '$$$$'), HOST: 'db', USER: 'app' },
    });
    for (const kept of ['ports', 'volumes', 'healthcheck', 'networks']) expect(file.services[service]).not.toHaveProperty(kept);
    expect(file.services['redis']).toMatchObject({ image: 'redis:7', command: ['redis-server'], restart: 'no' });
    expect(file.services['redis']).not.toHaveProperty('volumes');
  });
  test('not declared: its own environment, as compose renders it', () => {
    const { rehearsal: _none, ...without } = manifest;
    const { oneShot } = rehearsalServices(without, services, env);
    expect(oneShot[service]!.environment).toEqual({ QUEUE: 'redis://redis', SECRET: 'a$$b' });
  });
  test('a dependency that the release does not have is an error', () => {
    const rehearsal = { env: {}, dependencies: ['broker'] };
    expect(() => rehearsalServices({ ...manifest, rehearsal }, services, env)).toThrow(
      expect.objectContaining({ code: 'COMPOSE_INVALID' }),
    );
  });
});
