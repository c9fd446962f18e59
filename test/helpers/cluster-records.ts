// What the cluster's units start from: a record, and revisions of helm's, without a cluster.
import type { ClusterRecord, ClusterTransaction } from '../../src/kubernetes/record/record.ts';
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

export const recordedAt = '2026-11-27T18:00:00Z';

/** Of an upgrade across an irreversible migration that went well. */
export function clusterTransaction(id: number, from: string, to: string, backup: string | null): ClusterTransaction {
  return {
    id,
    kind: 'upgrade',
    from,
    to,
    class: 'irreversible',
    revisions: { before: id, last: id, after: id + 1 },
    operator: 'ann@ops-1',
    pid: null,
    startedAt: recordedAt,
    endedAt: recordedAt,
    outcome: 'done',
    error: null,
    backup,
    rehearsed: true,
    undo: null,
  };
}

/** Of an upgrade 0.3.0 -> 0.4.0 that was killed before helm made its revision. */
export function openTransaction(change: Partial<ClusterTransaction> = {}): ClusterTransaction {
  return {
    ...clusterTransaction(1, '0.3.0', '0.4.0', null),
    class: 'expand',
    revisions: { before: 2, last: 3, after: null },
    endedAt: null,
    outcome: null,
    rehearsed: false,
    ...change,
  };
}

export function revision(number: number, status: string, version: string): Revision {
  return { revision: number, status, chart: `shop-${version}`, app_version: version, description: '', updated: '' };
}
