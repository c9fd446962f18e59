// What `resume` makes of helm's history: with a cluster that does at once what it is asked. The whole of it, on a real one: flow/.
import { expect, test } from 'vitest';
import type { ClusterRecord, ClusterTransaction } from '../../../src/kubernetes/record/record.ts';
import { helmResume } from '../../../src/kubernetes/commands/resume.ts';
import type { KubernetesRelease } from '../../../src/kubernetes/record/site.ts';
import { cameTo } from '../../../src/kubernetes/steps/undo.ts';
import { AirdockError } from '../../../src/errors.ts';
import type { Revision } from '../../../src/io/helm-releases.ts';
import { clusterRecord, revision } from '../../helpers/cluster-records.ts';

const at = '2026-11-27T18:00:00Z';
const killed: ClusterTransaction = {
  id: 1,
  kind: 'upgrade',
  from: '0.3.0',
  to: '0.4.0',
  class: 'expand',
  revisions: { before: 2, last: 3, after: null },
  operator: 'ann@ops-1',
  pid: null,
  startedAt: at,
  endedAt: null,
  outcome: null,
  error: null,
  backup: null,
  rehearsed: false,
  undo: null,
};
const record = clusterRecord({ current: '0.3.0', schemaRelease: '0.5.0', highestGood: '0.5.0', transactions: [killed] });
const before = [revision(2, 'deployed', '0.3.0'), revision(3, 'failed', '0.4.0')];

/** @returns what helm was told, and the record as it was left */
async function resumed(
  history: Revision[],
  transaction: Partial<ClusterTransaction> = {},
  known: ClusterRecord | 'none' = record,
) {
  const told: string[] = [];
  const written: ClusterRecord[] = [];
  const site = {
    release: 'shop',
    kubectl: { namespace: 'prod', list: async () => [], remove: async () => {} },
    helm: {
      history: async () => history,
      manifest: async () => '',
      hooks: async () => '',
      rollback: async (_release: string, to: number) => void told.push(`rollback ${to}`),
    },
    records: {
      read: async () => (known === 'none' ? undefined : { ...known, transactions: [{ ...killed, ...transaction }] }),
      write: async (next: ClusterRecord) => void written.push(next),
    },
    host: { clock: () => new Date(at), operator: 'ben@ops-2', listener: () => {}, patience: { forMs: 0, everyMs: 1 } },
  } as unknown as KubernetesRelease;
  const result = await helmResume(site, { consent: async () => {} });
  return { told, result, record: written.at(-1) };
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
  expect(await cameTo(site, { record, transaction: killed }, error)).toBe(came);
});

test('what cannot be asked may have rolled', async () => {
  const history = () => Promise.reject(new Error('no route'));
  const site = { release: 'shop', helm: { history } } as unknown as KubernetesRelease;
  expect(await cameTo(site, { record, transaction: killed }, new Error('x'))).toBe('to-the-pods');
});
