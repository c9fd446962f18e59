// One table of what forbids an upgrade by its path, run against the plan of a VM and against the plan on Kubernetes.
import { describe, expect, test } from 'vitest';
import type { BundleManifest } from '../../src/bundle/manifest.ts';
import type { ClusterRecord } from '../../src/kubernetes/record/record.ts';
import type { HelmPlan } from '../../src/kubernetes/plan/plan.ts';
import { assertNoFinding } from '../../src/policy/finding.ts';
import { helmPlanText } from '../../src/cli/render/helm.ts';
import { planText } from '../../src/cli/render/plan.ts';
import type { Plan } from '../../src/vm/plan/document.ts';
import { classOfPath, withMigrations, type KnownMigration } from '../../src/policy/migrations.ts';
import { assertClear } from '../../src/vm/plan/plan.ts';
import { clusterFacts, clusterManifest, helmPlan } from '../helpers/cluster-plan.ts';
import { clusterRecord, revision } from '../helpers/cluster-records.ts';
import { facts, known, running, planOf } from '../helpers/plan-facts.ts';

type Here = Partial<Pick<ClusterRecord, 'product' | 'highestGood' | 'schemaRelease' | 'securityFloor'>> & {
  from?: string | null;
};
type Case = {
  here?: Here;
  /** Of records; the target's manifest lists those up to its version. */
  migrations?: readonly KnownMigration[];
  to: string;
  target?: Partial<Pick<BundleManifest, 'upgrade' | 'traffic' | 'database' | 'migrations'>>;
  allowDowngrade?: boolean;
  dataIsSavedElsewhere?: boolean;
  codes: string[];
  fix?: string;
};
const at = (version: string): Here => ({ from: version, highestGood: version, schemaRelease: version });
const back = (version: string): Here => ({ from: version, highestGood: '0.4.0', schemaRelease: '0.4.0' });
const onlyExpand = known.map((entry) => ({ ...entry, class: 'expand' as const }));
const downgrade = { codes: ['DOWNGRADE_REFUSED'] };

const cases: [string, Case][] = [
  ['a plain upgrade', { to: '0.3.0', codes: [] }],
  ['a first install', { here: { from: null, highestGood: null, schemaRelease: null }, to: '0.4.0', codes: [] }],
  ['another product', { here: { product: 'other' }, to: '0.3.0', codes: ['PRODUCT_MISMATCH'] }],

  ['older than what was good', { here: at('0.3.0'), to: '0.2.4', ...downgrade, fix: 'rollback 0.2.4' }],
  ['older than what runs, and nothing was good', { here: { ...at('0.3.0'), highestGood: null }, to: '0.2.4', ...downgrade }],
  ['older than what runs, by another hand', { here: { ...at('0.2.4'), from: '0.3.5' }, to: '0.3.0', ...downgrade }],
  ['after a way back, to one in between', { here: { ...at('0.2.4'), highestGood: '0.3.5' }, to: '0.3.0', ...downgrade }],
  ['an older one that is allowed', { here: at('0.3.0'), to: '0.2.4', allowDowngrade: true, codes: [] }],
  [
    'one in between that is allowed',
    { here: { ...at('0.2.4'), highestGood: '0.3.5' }, to: '0.3.0', allowDowngrade: true, codes: [] },
  ],

  ['old code on a new schema', { here: at('0.4.0'), to: '0.3.0', ...downgrade, fix: 'rollback 0.3.0 --restore-database' }],
  [
    'the same, allowed',
    { here: at('0.4.0'), to: '0.3.0', allowDowngrade: true, ...downgrade, fix: 'rollback 0.3.0 --restore-database' },
  ],
  [
    'the schema is newer than what runs, for its migration had begun',
    { here: back('0.3.0'), to: '0.2.4', allowDowngrade: true, ...downgrade, fix: 'rollback 0.2.4 --restore-database' },
  ],
  [
    'a newer one than what runs, on a schema that is newer still',
    { here: back('0.2.4'), to: '0.3.0', allowDowngrade: true, ...downgrade },
  ],
  [
    'expand alone between them, allowed',
    { here: at('0.4.0'), migrations: onlyExpand, to: '0.3.0', allowDowngrade: true, codes: [] },
  ],
  [
    'old code on a new schema, without a database',
    {
      here: at('0.4.0'),
      to: '0.3.0',
      target: { database: 'none' },
      allowDowngrade: true,
      ...downgrade,
      fix: 'rollback 0.3.0 --data-is-saved-elsewhere',
    },
  ],
  [
    'a first install on data of a newer one',
    { here: { from: null, highestGood: null, schemaRelease: '0.4.1' }, to: '0.4.0', ...downgrade, fix: 'Install 0.4.1' },
  ],
  [
    'a first install on data that its code does not run on',
    {
      here: { from: null, highestGood: null, schemaRelease: '0.4.0' },
      to: '0.3.0',
      allowDowngrade: true,
      ...downgrade,
      fix: 'Install 0.4.0',
    },
  ],

  [
    'below the security floor',
    { here: { ...at('0.3.5'), securityFloor: '0.3.1' }, to: '0.3.0', ...downgrade, fix: 'Install 0.3.1' },
  ],
  ['the same, allowed', { here: { ...at('0.3.5'), securityFloor: '0.3.1' }, to: '0.3.0', allowDowngrade: true, ...downgrade }],
  [
    'below it and on a new schema: the way back is closed, too',
    { here: { ...at('0.4.0'), securityFloor: '0.3.1' }, to: '0.3.0', allowDowngrade: true, ...downgrade, fix: 'Install 0.3.1' },
  ],
  ['at the floor', { here: { ...at('0.2.4'), securityFloor: '0.3.0' }, to: '0.3.0', codes: [] }],

  [
    'a version that may not upgrade',
    { to: '0.3.0', target: { upgrade: { from: '>=0.2.9', stops: [] } }, codes: ['UPGRADE_PATH_REFUSED'], fix: '>=0.2.9' },
  ],
  [
    'the same, with a stop on the way',
    {
      to: '0.3.0',
      target: { upgrade: { from: '>=0.2.9', stops: ['0.2.9'] } },
      codes: ['UPGRADE_PATH_REFUSED', 'UPGRADE_PATH_REFUSED'],
      fix: 'Install 0.2.9 first',
    },
  ],
  [
    'a stop that is left out',
    {
      to: '0.3.0',
      target: { upgrade: { from: '*', stops: ['0.2.9'] } },
      codes: ['UPGRADE_PATH_REFUSED'],
      fix: 'Install 0.2.9 first',
    },
  ],
  ['a stop that was made', { here: at('0.2.9'), to: '0.3.0', target: { upgrade: { from: '*', stops: ['0.2.9'] } }, codes: [] }],

  ['irreversible', { here: at('0.3.0'), to: '0.4.0', codes: [] }],
  [
    'irreversible without traffic services',
    { here: at('0.3.0'), to: '0.4.0', target: { traffic: [] }, codes: ['UPGRADE_PATH_REFUSED'] },
  ],
  ['expand without them', { to: '0.3.0', target: { traffic: [] }, codes: [] }],
  [
    'irreversible by the records, of which the bundle says nothing',
    { here: at('0.3.0'), to: '0.4.1', target: { traffic: [], migrations: [] }, codes: ['UPGRADE_PATH_REFUSED'] },
  ],

  [
    'irreversible, and airdock saves none of the data',
    { here: at('0.3.0'), to: '0.4.0', target: { database: 'none' }, codes: ['DATA_NOT_SAVED'], fix: '--data-is-saved-elsewhere' },
  ],
  [
    'the same, saved elsewhere',
    { here: at('0.3.0'), to: '0.4.0', target: { database: 'none' }, dataIsSavedElsewhere: true, codes: [] },
  ],
  ['expand, and airdock saves none of the data', { to: '0.3.0', target: { database: 'none' }, codes: [] }],
  [
    'a first install that saves none',
    { here: { from: null, highestGood: null, schemaRelease: null }, to: '0.4.0', target: { database: 'none' }, codes: [] },
  ],
];

function parts({ here = {}, migrations = known, to, target, ...allowed }: Case) {
  const { from = '0.2.4', product = 'shop', highestGood = '0.2.4', schemaRelease = '0.2.4', securityFloor = null } = here;
  const listed = migrations.filter(({ version }) => version.localeCompare(to) <= 0);
  const manifest: BundleManifest = {
    ...clusterManifest,
    product: 'shop',
    version: to,
    upgrade: { from: '>=0.2.0', stops: [] },
    migrations: listed,
    ...target,
  };
  const record = { product, highestGood, schemaRelease, securityFloor };
  return { from, record, known: [...migrations], manifest, allowed };
}

function planOnVm(one: Case): Plan {
  const { from, record, known: migrations, manifest, allowed } = parts(one);
  const deployment = running({ ...record, current: from });
  const { allowDowngrade = false, dataIsSavedElsewhere = false } = allowed;
  const kind = from === null ? ('install' as const) : ('upgrade' as const);
  return planOf({ ...facts({ kind, deployment, migrations, allowDowngrade, dataIsSavedElsewhere }), target: manifest });
}

function planOnKubernetes(one: Case): HelmPlan {
  const { from, record, known: migrations, manifest, allowed } = parts(one);
  const all = withMigrations(migrations, manifest.migrations);
  const deployed = from === null ? undefined : revision(1, 'deployed', from);
  return helmPlan(
    {
      record: clusterRecord({ ...record, current: from, migrations }),
      from,
      deployed,
      revisions: deployed ? [deployed] : [],
      migrations: all,
      pathClass: from === null ? 'none' : classOfPath(all, from, manifest.version),
      database: from === null || manifest.database === 'none' ? undefined : clusterFacts.database,
    },
    { manifest, ...allowed },
  );
}

describe.each([
  ['on a VM', planOnVm],
  ['on Kubernetes', planOnKubernetes],
])('%s', (_side, planWith) => {
  test.each(cases)('%s', (_what, one) => {
    const { findings } = planWith(one);
    expect(findings.map(({ code }) => code)).toEqual(one.codes);
    expect(findings[0]?.fix ?? '').toContain(one.fix ?? '');
  });
});

test('irreversible, and airdock saves none of the data: the plan says so, promises nothing, and ends with 2', () => {
  const one: Case = { here: at('0.3.0'), to: '0.4.0', target: { database: 'none' }, codes: [] };
  const vm = planOnVm(one);
  expect(vm).toMatchObject({ class: 'irreversible', unsavedData: true, backup: null });
  expect(vm.rollback).toMatch(/^airdock rollback 0\.3\.0 --data-is-saved-elsewhere, once you have put its data back/);
  expect(planText(vm)).toContain('airdock saves none of it');
  expect(() => assertClear(vm)).toThrow(expect.objectContaining({ code: 'DATA_NOT_SAVED', exitCode: 2 }));
  const kubernetes = planOnKubernetes(one);
  expect(kubernetes).toMatchObject({ class: 'irreversible', unsavedData: true, database: null });
  expect(kubernetes.rollback).toContain('airdock helm rollback 0.3.0 --data-is-saved-elsewhere --release shop -n prod');
  expect(helmPlanText(kubernetes)).toContain('airdock saves none of it');
  expect(() => assertNoFinding(kubernetes.findings)).toThrow(expect.objectContaining({ code: 'DATA_NOT_SAVED', exitCode: 2 }));
  expect(planOnVm({ ...one, target: {} })).toMatchObject({ unsavedData: false });
  expect(planOnKubernetes({ ...one, target: {} })).toMatchObject({ unsavedData: false });
});
