// One table of what a way back takes and what forbids it, run against the plan of a VM and against the plan on Kubernetes.
import { describe, expect, test } from 'vitest';
import type { BundleManifest } from '../../src/bundle/manifest.ts';
import { isAirdockError } from '../../src/errors.ts';
import { wayBack } from '../../src/kubernetes/plan/way-back.ts';
import type { ClusterRecord } from '../../src/kubernetes/record/record.ts';
import type { KubernetesRelease } from '../../src/kubernetes/record/site.ts';
import type { KnownMigration } from '../../src/policy/migrations.ts';
import type { BackupEntry } from '../../src/vm/backups/list.ts';
import { restoreFor } from '../../src/vm/kept-databases/choose.ts';
import type { KeptDatabase } from '../../src/vm/state/state.ts';
import { clusterManifest } from '../helpers/cluster-plan.ts';
import { clusterRecord, clusterTransaction, recordedAt, revision } from '../helpers/cluster-records.ts';
import { facts, known, running, planOf } from '../helpers/plan-facts.ts';

type Case = {
  /** What runs; `schemaRelease`, `highestGood` are the same unless they are named. */
  from?: string;
  here?: Partial<Pick<ClusterRecord, 'schemaRelease' | 'highestGood' | 'securityFloor'>>;
  migrations?: readonly KnownMigration[];
  to: string;
  database?: 'none';
  /** Schemas of kept databases, oldest first; of backups, with whether they are proven. */
  kept?: string[];
  backups?: [schema: string, proven: boolean][];
  comesOnKubernetes?: `backup ${number}`;
  restoreDatabase?: boolean;
  dataIsSavedElsewhere?: boolean;
  codes: string[];
  /** Of the first finding. */
  fix?: string;
  /** What comes back, counted from the oldest one. */
  comes?: `kept ${number}` | `backup ${number}`;
};
type Answer = { findings: { code: string; fix: string }[]; comes: Case['comes'] };

const restoreDatabase = true;
const dataIsSavedElsewhere = true;
const database = 'none' as const;
const cases: [string, Case][] = [
  ['over expand: the code alone', { from: '0.3.0', to: '0.2.4', kept: ['0.2.4'], codes: [] }],
  ['the database asked for where it can stay', { from: '0.3.0', to: '0.2.4', restoreDatabase, codes: ['USAGE'], fix: 'Leave' }],
  ['to an older one than was good: no downgrade', { from: '0.3.0', here: { highestGood: '0.4.0' }, to: '0.2.4', codes: [] }],

  [
    'over irreversible: not without being asked',
    { to: '0.3.0', kept: ['0.3.0'], codes: ['RESTORE_DATABASE_NEEDED'], fix: 'rollback 0.3.0 --restore-database' },
  ],
  ['the kept database', { to: '0.3.0', kept: ['0.3.0'], restoreDatabase, codes: [], comes: 'kept 0' }],
  [
    'the youngest kept one that fits',
    { to: '0.3.0', kept: ['0.3.0', '0.3.0', '0.4.0'], restoreDatabase, codes: [], comes: 'kept 1' },
  ],
  ['a kept one of a newer schema that it runs on', { to: '0.2.4', kept: ['0.3.0'], restoreDatabase, codes: [], comes: 'kept 0' }],
  [
    'a kept one before a backup',
    { to: '0.3.0', kept: ['0.3.0'], backups: [['0.3.0', true]], restoreDatabase, codes: [], comes: 'kept 0' },
  ],
  [
    'a backup where none is kept',
    {
      to: '0.3.0',
      backups: [
        ['0.2.4', true],
        ['0.3.0', true],
      ],
      restoreDatabase,
      codes: [],
      comes: 'backup 1',
    },
  ],
  [
    'on a VM a proven one before a younger one; on Kubernetes the youngest',
    {
      to: '0.3.0',
      backups: [
        ['0.3.0', true],
        ['0.3.0', false],
      ],
      restoreDatabase,
      codes: [],
      comes: 'backup 0',
      comesOnKubernetes: 'backup 1',
    },
  ],
  [
    'an unproven one where there is no other',
    { to: '0.3.0', backups: [['0.3.0', false]], restoreDatabase, codes: [], comes: 'backup 0' },
  ],
  [
    'one whose migrations are missing does not fit',
    { to: '0.3.0', kept: ['0.2.4'], restoreDatabase, codes: ['ROLLBACK_REFUSED'] },
  ],
  ['nothing to go back to', { to: '0.3.0', codes: ['ROLLBACK_REFUSED'], fix: 'Stay on 0.4.0' }],
  [
    'judged by the schema and not by what runs: the migration may have begun',
    { from: '0.3.0', here: { schemaRelease: '0.4.0' }, to: '0.2.4', codes: ['ROLLBACK_REFUSED'] },
  ],
  [
    'forward again, to what has migrations that are not there',
    { from: '0.2.4', to: '0.3.0', codes: ['ROLLBACK_REFUSED'], fix: 'with the bundle of 0.3.0' },
  ],
  [
    'forward again, with its database',
    { from: '0.3.0', to: '0.4.0', kept: ['0.4.0'], restoreDatabase, codes: [], comes: 'kept 0' },
  ],
  [
    'the word of the operator does not stand in for the database',
    { to: '0.3.0', kept: ['0.3.0'], dataIsSavedElsewhere, codes: ['RESTORE_DATABASE_NEEDED'] },
  ],

  [
    'below the security floor',
    { from: '0.3.0', here: { securityFloor: '0.3.0' }, to: '0.2.4', codes: ['ROLLBACK_REFUSED'], fix: '0.3.0 or later' },
  ],
  [
    'below it and over irreversible: no flag is asked for in vain',
    { here: { securityFloor: '0.3.5' }, to: '0.3.0', kept: ['0.3.0'], codes: ['ROLLBACK_REFUSED'], fix: '0.3.5 or later' },
  ],
  ['at the floor', { from: '0.3.0', here: { securityFloor: '0.2.4' }, to: '0.2.4', codes: [] }],

  ['without a database, over expand', { from: '0.3.0', to: '0.2.4', database, codes: [] }],
  [
    'without a database, over irreversible: never by code alone',
    { to: '0.3.0', database, codes: ['DATA_NOT_SAVED'], fix: 'rollback 0.3.0 --data-is-saved-elsewhere' },
  ],
  ['the same, and the operator has put the data back', { to: '0.3.0', database, dataIsSavedElsewhere, codes: [] }],
  [
    'the same, with the wrong flag',
    { to: '0.3.0', database, restoreDatabase, codes: ['USAGE'], fix: '--data-is-saved-elsewhere' },
  ],
  ['the same, with both', { to: '0.3.0', database, restoreDatabase, dataIsSavedElsewhere, codes: ['USAGE'] }],
  [
    'what an older release left is not put in place of data that nobody knows',
    { to: '0.3.0', database, kept: ['0.3.0'], codes: ['DATA_NOT_SAVED'] },
  ],
  [
    'without a database, forward again',
    { from: '0.3.0', to: '0.4.0', database, codes: ['DATA_NOT_SAVED'], fix: 'with the bundle of 0.4.0' },
  ],
  [
    'without a database, below the floor',
    { here: { securityFloor: '0.3.5' }, to: '0.3.0', database, dataIsSavedElsewhere, codes: ['ROLLBACK_REFUSED'] },
  ],
];

const stateOf = ({ from = '0.4.0', here }: Case) => ({
  current: from,
  schemaRelease: from,
  highestGood: from,
  securityFloor: null,
  ...here,
});

async function onVm(one: Case): Promise<Answer> {
  const { to, migrations = known, kept = [], backups = [], ...asked } = one;
  const deployment = running({ ...stateOf(one), product: 'shop' });
  const target: BundleManifest = {
    ...clusterManifest,
    product: 'shop',
    version: to,
    migrations: migrations.filter(({ version }) => version.localeCompare(to) <= 0),
    database: one.database ?? clusterManifest.database,
  };
  const state = {
    deployment: () => deployment,
    migrations: () => [...migrations],
    keptDatabases: () =>
      kept.map((schemaRelease, index): KeptDatabase => ({
        name: `kept ${index}`,
        oid: index,
        release: schemaRelease,
        schemaRelease,
        transaction: index,
        keptAt: recordedAt,
        backup: null,
      })),
  };
  const entries = backups.map(([schemaRelease, proven], index) => ({
    id: `backup ${index}`,
    release: schemaRelease,
    schemaRelease,
    createdAt: recordedAt,
    state: proven ? 'proven' : 'unproven',
    encrypted: false,
  })) as BackupEntry[];
  const restore = await restoreFor(state, target, async () => entries);
  const { findings } = planOf({
    ...facts({ kind: 'rollback', deployment, migrations: [...migrations], restore }),
    restoreDatabase: asked.restoreDatabase ?? false,
    dataIsSavedElsewhere: asked.dataIsSavedElsewhere ?? false,
    target,
  });
  const comes = restore?.kept ?? restore?.backup ?? undefined;
  return { findings, comes: findings.length === 0 ? (comes as Case['comes']) : undefined };
}

async function onKubernetes(one: Case): Promise<Answer> {
  const { to, migrations = known, kept = [], backups = [] } = one;
  const here = stateOf(one);
  const record = clusterRecord({
    ...here,
    migrations: [...migrations],
    shape: { writers: [], database: one.database ?? clusterManifest.database, databaseImage: null },
    kept: kept.map((schemaRelease, index) => ({
      name: `kept ${index}`,
      oid: index,
      release: schemaRelease,
      schemaRelease,
      keptAt: recordedAt,
    })),
    transactions: backups.map(([schemaRelease, rehearsed], index) => ({
      ...clusterTransaction(index + 1, schemaRelease, '0.4.0', `backup ${index}`),
      rehearsed,
    })),
  });
  const revisions = [revision(1, 'superseded', to), revision(2, 'deployed', here.current)];
  const site = { release: 'shop', kubectl: { namespace: 'prod' } } as KubernetesRelease;
  try {
    const way = wayBack(site, record, revisions, {
      to,
      restoreDatabase: one.restoreDatabase ?? false,
      dataIsSavedElsewhere: one.dataIsSavedElsewhere ?? false,
    });
    expect(way.swaps).toBe(one.comes !== undefined);
    expect(way.ownData).toBe(one.database === 'none' && one.dataIsSavedElsewhere === true);
    return { findings: [], comes: (way.kept?.name ?? way.backup?.id) as Case['comes'] };
  } catch (error) {
    if (!isAirdockError(error)) throw error;
    return { findings: error.details?.['findings'] as Answer['findings'], comes: undefined };
  }
}

describe.each([
  ['on a VM', onVm],
  ['on Kubernetes', onKubernetes],
])('%s', (side, answerOf) => {
  test.each(cases)('%s', async (_what, one) => {
    const { findings, comes } = await answerOf(one);
    expect({ codes: findings.map(({ code }) => code), comes }).toEqual({
      codes: one.codes,
      comes: (side === 'on Kubernetes' ? one.comesOnKubernetes : undefined) ?? one.comes,
    });
    expect(findings[0]?.fix ?? '').toContain(one.fix ?? '');
  });
});

test('a named backup whose schema the release does not run on, and a release that could not be tried: on a VM alone', () => {
  const restore = {
    kept: null,
    backup: '20261122-1',
    release: '0.2.4',
    schemaRelease: '0.2.4',
    at: recordedAt,
    proven: true,
    encrypted: false,
  };
  const deployment = running({ current: '0.3.0', schemaRelease: '0.3.0', highestGood: '0.3.0' });
  const asked = facts({ kind: 'rollback', deployment, restore, restoreDatabase }, { version: '0.3.0', traffic: [] });
  expect(planOf(asked).findings).toMatchObject([
    { code: 'ROLLBACK_REFUSED', fix: expect.stringContaining('airdock rollback 0.2.4 --restore-database') },
    { code: 'ROLLBACK_REFUSED', text: expect.stringContaining('declares no traffic services') },
  ]);
});
