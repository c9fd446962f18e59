import { expect, test } from 'vitest';
import { waitGone, whyNotReady } from '../../../src/kubernetes/pods/pods.ts';
import type { Workload } from '../../../src/kubernetes/pods/workloads.ts';
import type { Kubectl, Pod } from '../../../src/io/kubectl.ts';

const pod = (name: string, status: NonNullable<Pod['status']>): Pod => ({ kind: 'Pod', metadata: { name }, status });
const container = (state: Record<string, { reason?: string; message?: string }>) => [{ name: 'api', image: 'x', state }];
const pods = [
  pod('api-1', { conditions: [{ type: 'Ready', status: 'True' }], containerStatuses: container({ running: {} }) }),
  pod('api-2', {
    phase: 'Pending',
    containerStatuses: container({ waiting: { reason: 'CreateContainerConfigError', message: 'secret "shop" not found' } }),
  }),
  pod('api-3', {
    phase: 'Pending',
    conditions: [{ type: 'PodScheduled', status: 'False', message: '0/1 nodes are available: 1 Insufficient cpu.' }],
  }),
  pod('api-4', { phase: 'Running', containerStatuses: container({ running: {} }) }),
  pod('hook-1', { phase: 'Succeeded', containerStatuses: container({ terminated: { reason: 'Completed' } }) }),
  {
    ...pod('api-5', { containerStatuses: container({ waiting: { reason: 'ErrImagePull' } }) }),
    metadata: { name: 'api-5', deletionTimestamp: 'x' },
  },
];

test('each pod that is not ready says what it waits for; those on their way out, and those that came to their end, do not', async () => {
  const kubectl = { list: async () => pods } as unknown as Kubectl;
  expect(await whyNotReady(kubectl, [{ app: 'api' }])).toEqual([
    'api-2: CreateContainerConfigError: secret "shop" not found',
    'api-3: no node can run it: 0/1 nodes are available: 1 Insufficient cpu.',
  ]);
});

test('pods that were evicted or came to their end lie about, and have no connections: nobody waits for them', async () => {
  const workload = { selector: { app: 'api' } } as unknown as Workload;
  const gone = (left: Pod[]) => waitGone({ list: async () => left } as unknown as Kubectl, [workload], 0);
  await gone([pod('api-1', { phase: 'Failed' }), pod('api-2', { phase: 'Succeeded' })]);
  await expect(gone([pod('api-1', { phase: 'Failed' }), pod('api-3', { phase: 'Running' })])).rejects.toThrow(/api-3$/);
});
