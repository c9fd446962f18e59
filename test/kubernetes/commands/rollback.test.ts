// A way back over data that airdock does not have, with a cluster that does at once what it is asked.
import { expect, test } from 'vitest';
import { helmRollback } from '../../../src/kubernetes/commands/rollback.ts';
import type { HelmPlan } from '../../../src/kubernetes/plan/plan.ts';
import type { ClusterRecord } from '../../../src/kubernetes/record/record.ts';
import type { KubernetesRelease } from '../../../src/kubernetes/record/site.ts';
import { clusterRecord, recordedAt, revision } from '../../helpers/cluster-records.ts';
import { known } from '../../helpers/plan-facts.ts';

async function back(dataIsSavedElsewhere: boolean) {
  const told: string[] = [];
  const written: ClusterRecord[] = [];
  const plans: HelmPlan[] = [];
  const site = {
    release: 'shop',
    kubectl: { namespace: 'prod', list: async () => [] },
    helm: {
      history: async () => [revision(1, 'superseded', '0.3.0'), revision(2, 'deployed', '0.4.0')],
      manifest: async () => '',
      appliesServerSide: async () => false,
      rollback: async (_release: string, to: number) => void told.push(`rollback ${to}`),
    },
    records: {
      read: async () =>
        clusterRecord({
          current: '0.4.0',
          schemaRelease: '0.4.0',
          highestGood: '0.4.0',
          migrations: [...known],
          shape: { writers: [], database: 'none', databaseImage: null },
        }),
      write: async (next: ClusterRecord) => void written.push(structuredClone(next)),
    },
    host: {
      clock: () => new Date(recordedAt),
      operator: 'ann@ops-1',
      listener: () => {},
      signal: new AbortController().signal,
      patience: { forMs: 0, everyMs: 1 },
    },
  } as unknown as KubernetesRelease;
  const done = helmRollback(site, {
    to: '0.3.0',
    restoreDatabase: false,
    dataIsSavedElsewhere,
    forceConflicts: false,
    ownerSuspended: false,
    timeoutSeconds: 1,
    consent: async (plan) => void plans.push(plan),
  });
  return { done, told, written, plans };
}

test('refused before anything is asked or done', async () => {
  const { done, told, written, plans } = await back(false);
  await expect(done).rejects.toMatchObject({ code: 'DATA_NOT_SAVED', exitCode: 2 });
  expect([told, written, plans]).toEqual([[], [], []]);
});

test('once the operator says that the data is back: the plan says whose it is, and the record has its schema', async () => {
  const { done, told, written, plans } = await back(true);
  await expect(done).resolves.toMatchObject({ to: '0.3.0', database: null });
  expect(plans).toMatchObject([
    { class: 'irreversible', unsavedData: true, rollback: expect.stringContaining('0.4.0 --data-is-saved-elsewhere') },
  ]);
  expect(told).toEqual(['rollback 1']);
  expect(written.at(-1)).toMatchObject({ current: '0.3.0', schemaRelease: '0.3.0' });
});
