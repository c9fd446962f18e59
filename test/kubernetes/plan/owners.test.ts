import { expect, test } from 'vitest';
import { ownerFindings, versionWithoutHelm } from '../../../src/kubernetes/plan/owners.ts';
import type { KubernetesRelease } from '../../../src/kubernetes/record/site.ts';
import type { Workload } from '../../../src/kubernetes/pods/workloads.ts';
import type { Revision } from '../../../src/io/helm-releases.ts';

const workloads = ['api', 'worker'].map((name) => ({ kind: 'Deployment', name })) as Workload[];
/** The image of each workload that is there. */
const site = (images: Record<string, string>) =>
  ({
    kubectl: {
      get: async (_kind: string, name: string) =>
        images[name] === undefined ? undefined : { spec: { template: { spec: { containers: [{ image: images[name] }] } } } },
    },
  }) as unknown as KubernetesRelease;

test('what a controller rendered: the version that its writers have in common', async () => {
  const both = site({ api: 'registry:5000/shop-api:0.3.0', worker: 'registry:5000/shop-api:0.3.0' });
  expect(await versionWithoutHelm(both, [], workloads)).toBe('0.3.0');
  expect(await versionWithoutHelm(site({ api: 'shop-api:0.3.0', worker: 'shop-api:0.2.4' }), [], workloads)).toBeNull();
  expect(await versionWithoutHelm(site({ api: 'registry:5000/shop-api' }), [], workloads)).toBeNull();
  expect(await versionWithoutHelm(site({}), [], workloads)).toBeNull();
});

test('where helm has revisions, a first install failed and is tried again', async () => {
  const both = site({ api: 'shop-api:0.3.0', worker: 'shop-api:0.3.0' });
  expect(await versionWithoutHelm(both, [{ revision: 1, status: 'failed' } as Revision], workloads)).toBeNull();
});

test('a suspended controller is let be, an autoscaler only where writers do not stop', () => {
  const owners = [
    { kind: 'Flux' as const, name: 'shop', of: 'api' },
    { kind: 'HorizontalPodAutoscaler' as const, name: 'shop', of: 'api' },
  ];
  const found = (irreversible: boolean, suspended: boolean) =>
    ownerFindings(owners, { irreversible, suspended, instead: 'Go back there.' }).map(({ fix }) => fix);
  expect(found(true, false)).toEqual([
    'Go back there. Or suspend Flux and add --owner-suspended.',
    expect.stringContaining('kubectl delete hpa shop'),
  ]);
  expect(found(false, true)).toEqual([]);
});
