// What `resume` makes of helm's history: with a cluster that does at once what it is asked. The whole of it, on a real one: test/cluster/.
import { expect, test } from 'vitest';
import type { ClusterRecord, ClusterTransaction } from '../../../src/kubernetes/record/record.ts';
import { helmResume } from '../../../src/kubernetes/commands/resume.ts';
import type { KubernetesRelease } from '../../../src/kubernetes/record/site.ts';
import { howFarHelmCame } from '../../../src/kubernetes/steps/undo.ts';
import { AirdockError } from '../../../src/errors.ts';
import type { Revision } from '../../../src/io/helm-releases.ts';
import { clusterRecord, openTransaction, revision } from '../../helpers/cluster-records.ts';
import { chartOf, fakeRelease, type FakeOptions } from '../../helpers/kubernetes-release.ts';

const killed = openTransaction();
const record = clusterRecord({ current: '0.3.0', schemaRelease: '0.5.0', highestGood: '0.5.0', transactions: [killed] });
const before = [revision(2, 'deployed', '0.3.0'), revision(3, 'failed', '0.4.0')];

type Known = ClusterRecord | 'none';
type Cluster = Pick<FakeOptions, 'answers'>;

/** As `resume` finds it: the record with the transaction that was killed, and helm's history. */
function interrupted(
  history: Revision[],
  transaction: Partial<ClusterTransaction> = {},
  known: Known = record,
  more: Cluster = {},
) {
  const found = known === 'none' ? undefined : { ...known, transactions: [{ ...killed, ...transaction }] };
  return fakeRelease({ record: found, history, manifests: chartOf('api'), ...more });
}

/** @returns what helm was told, and the record as it was left */
async function resumed(...how: Parameters<typeof interrupted>) {
  const { site, told, left, events } = interrupted(...how);
  const result = await helmResume(site, { consent: async () => {} });
  return { told, result, record: left(), events };
}

test('an older revision of that version that failed is not what was killed: helm had not begun, and is left alone', async () => {
  const { told, result } = await resumed(before);
  expect([told, result?.outcome]).toEqual([[], 'rolled-back']);
});

test('helm came to its end: it is done, and what an allowed downgrade had is not forgotten', async () => {
  const { told, result, record: left } = await resumed([...before, revision(4, 'deployed', '0.4.0')]);
  expect([told, result?.outcome]).toEqual([[], 'done']);
  expect(left).toMatchObject({ current: '0.4.0', schemaRelease: '0.5.0', highestGood: '0.5.0' });
});

test('helm came half way: back to what was in place', async () => {
  const { told, result } = await resumed([...before, revision(4, 'failed', '0.4.0')]);
  expect([told, result?.outcome]).toEqual([['rollback 2'], 'rolled-back']);
});

test('killed as it took itself back: it is not taken for done', async () => {
  const { told, result } = await resumed([...before, revision(4, 'deployed', '0.4.0'), revision(5, 'failed', '0.3.0')]);
  expect([told, result?.outcome]).toEqual([['rollback 2'], 'rolled-back']);
});

test('a first install that helm had not begun with, or that was uninstalled since, comes to an end', async () => {
  const {
    told,
    result,
    record: left,
  } = await resumed([], { kind: 'install', from: null, revisions: { before: null, last: null, after: null } });
  expect([told, result?.outcome, left?.transactions.at(-1)?.outcome]).toEqual([[], 'rolled-back', 'rolled-back']);
});

const upgraded = [...before, revision(4, 'deployed', '0.4.0')];
const halfWay = [...before, revision(4, 'failed', '0.4.0')];
/** A check that has to be green at once, and its path. */
const health = [
  {
    name: 'api',
    scope: 'internal',
    service: 'api',
    url: 'http://127.0.0.1/health',
    status: 200,
    window: '0s',
    interval: '1s',
    timeout: '0s',
  },
] as const;
const asked = '/api/v1/namespaces/prod/services/http:shop-api:http/proxy/health';
const checked = (version: string, securityFloor?: string): ClusterRecord => ({
  ...record,
  highestGood: '0.3.0',
  schemaRelease: '0.3.0',
  checks: [{ version, health: [...health], traffic: ['web'], ...(securityFloor === undefined ? {} : { securityFloor }) }],
});
/** The new database is live, and users may have written to it. */
const opened: Partial<ClusterTransaction> = {
  class: 'irreversible',
  undo: { replicas: {}, live: { name: 'shop', oid: 1 }, next: { name: 'shop_next_1', oid: 2 }, aside: 'shop_0_3_0_t1' },
};
const green = () => 'ok';
const red = () => undefined;

test.each([
  ['helm came to its end', upgraded, {}],
  ['the same, and its database was swapped in', upgraded, opened],
  ['helm is told to finish it', halfWay, opened],
])('%s: the checks of the release are asked, and its security floor counts', async (_what, history, transaction) => {
  const paths: string[] = [];
  const answers = (path: string) => (paths.push(path), 'ok');
  const { result, record: left } = await resumed(history, transaction, checked('0.4.0', '0.3.5'), { answers });
  expect([result?.outcome, paths]).toEqual(['done', [asked]]);
  expect(left).toMatchObject({ current: '0.4.0', schemaRelease: '0.4.0', highestGood: '0.4.0', securityFloor: '0.3.5' });
});

test('a floor that is there already stays where the release declares none', async () => {
  const known = { ...checked('0.4.0'), securityFloor: '0.2.4' };
  const { record: left } = await resumed(upgraded, {}, known, { answers: green });
  expect(left).toMatchObject({ current: '0.4.0', securityFloor: '0.2.4' });
});

test('its checks are not green: an upgrade that opened no database goes back, and the record says why', async () => {
  const { told, result, record: left, events } = await resumed(upgraded, {}, checked('0.4.0', '0.4.0'), { answers: red });
  expect([told, result?.outcome]).toEqual([['rollback 2'], 'rolled-back']);
  expect(left).toMatchObject({ current: '0.3.0', highestGood: '0.3.0', securityFloor: null });
  expect(left?.transactions.at(-1)).toMatchObject({ outcome: 'rolled-back', error: expect.stringContaining('does not answer') });
  expect(events).toContainEqual({ type: 'warning', text: expect.stringContaining('does not answer') as string });
});

test.each([
  ['that helm had brought up', upgraded, []],
  ['that helm was told to finish', halfWay, ['rollback 4']],
])('nor are those of one %s, whose database is open: nothing goes back by itself', async (_what, history, helm) => {
  const { site, told, left } = interrupted(history, opened, checked('0.4.0', '0.4.0'), { answers: red });
  await expect(helmResume(site, { consent: async () => {} })).rejects.toMatchObject({
    code: 'OPEN_BUT_UNHEALTHY',
    exitCode: 7,
    message: expect.stringContaining('does not answer') as string,
  });
  expect(told).toEqual(helm);
  expect(left()).toMatchObject({
    current: '0.4.0',
    highestGood: '0.3.0',
    securityFloor: null,
    kept: [{ name: 'shop_0_3_0_t1', oid: 1, release: '0.3.0' }],
    transactions: [{ outcome: 'failed' }],
  });
});

test('a way back whose release is not well: back to what served', async () => {
  const back = { kind: 'rollback', from: '0.4.0', to: '0.3.0', revisions: { before: 4, last: 4, after: null } } as const;
  const history = [...upgraded, revision(5, 'deployed', '0.3.0')];
  const known = { ...checked('0.3.0'), current: '0.4.0' };
  const bad = await resumed(history, back, known, { answers: red });
  expect([bad.told, bad.result?.outcome, bad.record?.current]).toEqual([['rollback 4'], 'rolled-back', '0.4.0']);
  const well = await resumed(history, back, known, { answers: green });
  expect([well.told, well.result?.outcome, well.record?.current]).toEqual([[], 'done', '0.3.0']);
});

test('who may not ask decides nothing: the transaction stays open for whoever may', async () => {
  const answers = () => {
    throw new AirdockError('CLUSTER_FORBIDDEN', 'you may not get services/proxy');
  };
  const { site, told, left } = interrupted(upgraded, {}, checked('0.4.0'), { answers });
  await expect(helmResume(site, { consent: async () => {} })).rejects.toMatchObject({ code: 'CLUSTER_FORBIDDEN' });
  expect([told, left()?.transactions.at(-1)?.outcome]).toEqual([[], null]);
});

test('no record is no answer: the release or the namespace may be mistyped', async () => {
  await expect(resumed([], {}, 'none')).rejects.toMatchObject({ code: 'NOT_A_DEPLOYMENT', exitCode: 5 });
  expect((await resumed([], { outcome: 'done' })).result).toBeUndefined();
});

test.each([
  ['its pre-upgrade hook', new AirdockError('MIGRATION_FAILED', 'x', { details: { rolled: false } }), before, 'in-its-hook'],
  ['its post-upgrade hook', new AirdockError('MIGRATION_FAILED', 'x', { details: { rolled: true } }), before, 'to-the-pods'],
  ['somebody else’s lock', new AirdockError('LOCKED', 'x'), [...before, revision(4, 'pending-upgrade', '0.4.0')], 'before-helm'],
  ['a login that expired', new AirdockError('CLUSTER_UNREACHABLE', 'x'), before, 'before-helm'],
  ['pods that are not ready', new AirdockError('UP_FAILED', 'x'), [...before, revision(4, 'failed', '0.4.0')], 'to-the-pods'],
])('how far helm came, by %s', async (_what, error, history, came) => {
  const site = { release: 'shop', helm: { history: async () => history } } as unknown as KubernetesRelease;
  expect(await howFarHelmCame(site, { record, transaction: killed }, error)).toBe(came);
});

test('what cannot be asked may have rolled', async () => {
  const history = () => Promise.reject(new Error('no route'));
  const site = { release: 'shop', helm: { history } } as unknown as KubernetesRelease;
  expect(await howFarHelmCame(site, { record, transaction: killed }, new Error('x'))).toBe('to-the-pods');
});

test.each([
  ['expand', '0.5.0'],
  ['irreversible', '0.4.0'],
] as const)(
  'a way back by code alone (%s) that was killed: the schema is that of the data that is there',
  async (kind, schema) => {
    const done = [...before, revision(4, 'deployed', '0.4.0')];
    const { record: left } = await resumed(done, { kind: 'rollback', from: '0.5.0', class: kind });
    expect(left).toMatchObject({ current: '0.4.0', schemaRelease: schema });
  },
);
