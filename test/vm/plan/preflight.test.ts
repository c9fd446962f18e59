import { expect, test } from 'vitest';
import { AirdockError } from '../../../src/errors.ts';
import { preflight } from '../../../src/vm/plan/preflight.ts';
import { composed, container, context, siteWith } from '../../helpers/preflight-context.ts';

const codes = async (change: Parameters<typeof context>[0]) => (await preflight(context(change))).map(({ code }) => code);
const digest = `sha256:${'0'.repeat(64)}` as never;
const failure = { code: 'DATABASE_UNREACHABLE', text: 'the database service db is not running', fix: 'Start it.' } as const;

test('an install in an empty directory has no findings', async () => {
  expect(await codes({})).toEqual([]);
});

test('the first finding does not end it: all are shown, from files over services to the database and the bundle', async () => {
  const { release } = context();
  const all = await codes({
    kind: 'upgrade',
    site: siteWith({ compose: '1.29.2' }),
    env: { merged: { bytes: Buffer.from(''), missing: ['TOKEN'], generated: [], added: [], changed: [] }, invalid: undefined },
    release: { ...release, manifest: { ...release.manifest, traffic: ['frontend'] } },
    compose: composed({ api: { image: 'unheard-of:1', depends_on: { frontend: {} } } }),
    services: ['api'],
    swaps: true,
    database: { database: null, version: '', elsewhere: false, walBytes: 0, swap: undefined, failure },
    missingBlobs: [{ digest, size: 1 }],
    inBundle: () => false,
  });
  expect(all).toEqual([
    'VALUE_MISSING',
    'COMPOSE_TOO_OLD',
    'IMAGE_UNRESOLVED',
    'SERVICE_NOT_RUNNING',
    'TRAFFIC_DEPENDENCY',
    'DATABASE_UNREACHABLE',
    'BLOB_MISSING',
  ]);
});

test('files that cannot be made: one finding says so, and what would be seen in them is not asked', async () => {
  const invalid = (code: 'ENV_INVALID' | 'COMPOSE_INVALID') => new AirdockError(code, 'line 3', { hint: 'Correct it.' });
  const nothing = { model: undefined, hashes: new Map<string, string>(), invalid: undefined };
  const env = { merged: undefined, invalid: invalid('ENV_INVALID') };
  expect(await codes({ env, compose: nothing, swaps: true })).toEqual(['ENV_INVALID']);
  expect(await codes({ compose: { ...nothing, invalid: invalid('COMPOSE_INVALID') }, swaps: true })).toEqual(['COMPOSE_RENDER']);
});

test('services must be healthy before an upgrade; other plans do not check them', async () => {
  const sick = { services: ['api'], containers: [container({ health: 'unhealthy' })] };
  expect(await codes({ kind: 'upgrade', ...sick })).toEqual(['SERVICE_NOT_RUNNING']);
  expect(await codes({ kind: 'rollback', ...sick })).toEqual([]);
  const ended = container({ state: 'exited', exitCode: 0, health: 'none' });
  expect(await codes({ kind: 'upgrade', services: ['api'], containers: [ended] })).toEqual([]);
});
