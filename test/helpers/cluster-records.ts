// What the cluster's units start from: a record, and revisions of helm's, without a cluster.
import type { ClusterRecord } from '../../src/kubernetes/record/record.ts';
import type { Revision } from '../../src/io/helm-releases.ts';

/** Of a release that runs 0.2.4 and has no transaction yet. */
export function clusterRecord(change: Partial<ClusterRecord> = {}): ClusterRecord {
  return {
    schema: 'airdock.cluster/1',
    product: 'shop',
    trust: [],
    migrations: [],
    shape: null,
    checks: [],
    current: '0.2.4',
    schemaRelease: '0.2.4',
    highestGood: '0.2.4',
    securityFloor: null,
    transactions: [],
    kept: [],
    ...change,
  };
}

export function revision(number: number, status: string, version: string): Revision {
  return { revision: number, status, chart: `shop-${version}`, app_version: version, description: '', updated: '' };
}
