import { expect, test } from 'vitest';
import type { ClusterRecord } from '../../../src/kubernetes/record/record.ts';
import type { KubernetesRelease } from '../../../src/kubernetes/record/site.ts';
import { comesBack, wayBack } from '../../../src/kubernetes/plan/way-back.ts';
import { clusterRecord, clusterTransaction as transaction, recordedAt as at, revision } from '../../helpers/cluster-records.ts';

const record = clusterRecord({
  migrations: [
    { version: '0.3.0', class: 'expand', summary: 'adds a column' },
    { version: '0.4.0', class: 'irreversible', summary: 'merges tables' },
  ],
  current: '0.4.0',
  schemaRelease: '0.4.0',
  highestGood: '0.4.0',
  transactions: [transaction(1, '0.2.4', '0.3.0', 'shop-1'), transaction(2, '0.3.0', '0.4.0', 'shop-2')],
  kept: [{ name: 'shop_0_3_0_t2', oid: 7, release: '0.3.0', schemaRelease: '0.3.0', keptAt: at }],
});
const revisions = ['0.2.4', '0.3.0', '0.4.0'].map((version, index) =>
  revision(index + 1, index === 2 ? 'deployed' : 'superseded', version),
);
const site = { release: 'shop', kubectl: { namespace: 'prod' } } as KubernetesRelease;
const way = (to: string | undefined, change: Partial<ClusterRecord> = {}, restoreDatabase = true) =>
  wayBack(site, { ...record, ...change }, revisions, { to, restoreDatabase, dataIsSavedElsewhere: false });

test('across an irreversible migration the kept database comes back, by a version, a revision, or neither', () => {
  for (const to of ['0.3.0', '2', undefined]) expect(way(to)).toMatchObject({ revision: 2, version: '0.3.0', swaps: true });
  expect(comesBack(way('0.3.0'))).toBe(`shop_0_3_0_t2, as it was at ${at}`);
});

test('where none is kept, the backup of the upgrade that left its schema, with who made it', () => {
  const found = way('0.3.0', { kept: [] });
  expect(found).toMatchObject({ kept: undefined, backup: { id: 'shop-2', operator: 'ann@ops-1' } });
  expect(comesBack(found)).toBe('the backup shop-2, made by ann@ops-1');
  expect(() => way('0.3.0', { kept: [], transactions: [] })).toThrow(/neither a kept database nor a backup/);
});

test('it is asked for in so many words, and refused where it is not needed', () => {
  expect(() => way('0.3.0', {}, false)).toThrow(/The database must go back too: shop_0_3_0_t2, as it was at/);
  const before = { current: '0.3.0', schemaRelease: '0.3.0' };
  expect(way('0.2.4', before, false)).toMatchObject({ version: '0.2.4', swaps: false });
  expect(() => way('0.2.4', before)).toThrow(/does not have to go back/);
});

test('what helm does not keep, what runs, and what is below the floor is refused', () => {
  expect(() => way('0.1.0')).toThrow(/helm keeps no revision of 0.1.0/);
  expect(() => way('0.4.0')).toThrow(/is the running release/);
  expect(() => way('0.2.4', { securityFloor: '0.3.0' })).toThrow(/security floor/);
});
