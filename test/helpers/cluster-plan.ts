// What a plan on Kubernetes depends on, without a cluster.
import type { ClusterFacts } from '../../src/kubernetes/plan/facts.ts';
import { planUpgrade, type HelmPlan } from '../../src/kubernetes/plan/plan.ts';
import type { Workload } from '../../src/kubernetes/pods/workloads.ts';
import { makeRelease } from './bundle.ts';
import { revision } from './cluster-records.ts';

const registry = 'registry.internal/shop';
const workload = (service: string, kind: Workload['kind'] = 'Deployment'): Workload => ({
  kind,
  name: `shop-${service}`,
  service,
  replicas: 1,
  selector: {},
  container: service,
  image: `${registry}/example/shop-${service}:0.3.0`,
  spec: { containers: [] },
});
const migration = { kind: 'Job', metadata: { name: 'shop-migrate' }, spec: { template: { spec: { containers: [] } } } };
const workloads = [workload('api'), workload('web'), workload('db', 'StatefulSet')];

/** Of an upgrade 0.2.4 -> 0.3.0 against which nothing stands. */
export const clusterFacts: ClusterFacts = {
  record: undefined,
  revisions: [revision(1, 'deployed', '0.2.4')],
  deployed: revision(1, 'deployed', '0.2.4'),
  from: '0.2.4',
  pathClass: 'expand',
  migrations: [],
  running: { workloads, migration: undefined, services: [] },
  target: { workloads, migration, services: [] },
  database: { kind: 'pod', service: 'db', workload: workloads[2]!, user: 'shop', name: 'shop' },
  databaseBytes: 5,
  owners: [],
  conflicts: [],
  missing: [],
  missingRights: [],
};
export const { manifest: clusterManifest } = makeRelease();

export function helmPlan(change: Partial<ClusterFacts> = {}, more: Partial<Parameters<typeof planUpgrade>[1]> = {}): HelmPlan {
  return planUpgrade(
    { ...clusterFacts, ...change },
    {
      release: 'shop',
      namespace: 'prod',
      manifest: clusterManifest,
      registry,
      rehearse: true,
      allowDowngrade: false,
      dataIsSavedElsewhere: false,
      ownerSuspended: false,
      ...more,
    },
  );
}
