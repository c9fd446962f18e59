import { expect, test } from 'vitest';
import type { ClusterFacts } from '../../../src/kubernetes/plan/facts.ts';
import { clusterFacts as facts, helmPlan as plan } from '../../helpers/cluster-plan.ts';
import { revision } from '../../helpers/cluster-records.ts';

/** Of what stands against it. */
const codes = (change: Partial<ClusterFacts>, more = {}) => plan(change, more).findings.map(({ code }) => code);

test('expand: nobody stops, and code alone goes back', () => {
  expect(plan()).toMatchObject({
    kind: 'upgrade',
    steps: ['push', 'backup', 'rehearse', 'upgrade', 'health'],
    stops: [],
    rollback: 'to 0.2.4 by code alone: airdock helm rollback 0.2.4 --release shop -n prod',
    findings: [],
  });
});

test('irreversible: writers stop, the way back needs the database', () => {
  expect(plan({ pathClass: 'irreversible' })).toMatchObject({
    steps: ['push', 'backup', 'rehearse', 'quiesce', 'copy', 'migrate', 'swap', 'trial', 'upgrade', 'health'],
    stops: ['api'],
    rollback: expect.stringContaining('--restore-database'),
  });
});

test('a first install has nothing to back up, and no way back', () => {
  const none = { deployed: undefined, from: null, revisions: [], database: undefined, pathClass: 'none' as const };
  expect(plan(none)).toMatchObject({
    kind: 'install',
    steps: ['push', 'upgrade', 'health'],
    database: null,
    revision: null,
    findings: [],
  });
});

test.each([
  ['helm at work', { revisions: [...facts.revisions, revision(2, 'pending-upgrade', '0.3.0')] }, 'LOCKED'],
  ['a version that may not upgrade', { from: '0.1.0' }, 'UPGRADE_PATH_REFUSED'],
  ['an older one than ran', { from: '0.4.0' }, 'DOWNGRADE_REFUSED'],
  ['a version that is none', { from: null }, 'UPGRADE_PATH_REFUSED'],
  ['Argo CD', { owners: [{ kind: 'Argo CD' as const, name: 'shop', of: 'shop-api' }] }, 'OWNED_BY_ANOTHER'],
  ['Flux', { owners: [{ kind: 'Flux' as const, name: 'shop', of: 'shop-api' }] }, 'OWNED_BY_ANOTHER'],
  ['a right that is missing', { missingRights: ['create pods/exec'] }, 'CLUSTER_FORBIDDEN'],
])('%s is refused', (_what, change, code) => {
  expect(codes(change as Partial<ClusterFacts>)).toContain(code);
});

test('a controller that is suspended, says the operator, keeps nothing away; what a controller rendered without helm is not upgraded by it', () => {
  const owners = [{ kind: 'Argo CD' as const, name: 'shop', of: 'shop-api' }];
  expect(codes({ owners }, { ownerSuspended: true })).toEqual([]);
  expect(codes({ deployed: undefined, revisions: [] })).toEqual(['OWNED_BY_ANOTHER']);
});

test('an autoscaler may look after replicas, but not while the database changes', () => {
  const owners = [{ kind: 'HorizontalPodAutoscaler' as const, name: 'shop', of: 'shop-api' }];
  expect(codes({ owners })).toEqual([]);
  expect(codes({ owners, pathClass: 'irreversible' })).toEqual(['OWNED_BY_ANOTHER']);
});

test('fields that somebody else set keep it away, unless they are to be taken over', () => {
  const conflicts = ['Deployment shop-web: conflict with "kubectl-set" using apps/v1: .spec.replicas'];
  expect(plan({ conflicts }).findings).toEqual([
    {
      code: 'OWNED_BY_ANOTHER',
      text: expect.stringContaining(conflicts[0]!),
      fix: expect.stringContaining('--force-conflicts'),
    },
  ]);
});

test('an older release is allowed where its code runs on the database that is here, and only there', () => {
  const migrations = [{ version: '0.4.0', class: 'irreversible' as const, summary: '' }];
  const record = { product: 'shop', schemaRelease: '0.4.0', highestGood: '0.4.0' } as ClusterFacts['record'];
  const change = { record, from: '0.4.0', migrations };
  const [finding] = plan(change, { allowDowngrade: true }).findings;
  expect(finding).toMatchObject({ code: 'DOWNGRADE_REFUSED', fix: expect.stringContaining('--restore-database') });
  expect(codes({ ...change, migrations: [] }, { allowDowngrade: true })).toEqual([]);
  expect(codes({ ...change, migrations: [] })).toContain('DOWNGRADE_REFUSED');
});

test('forward again after a way back, to one in between: the hint is the flag, for helm keeps none to go back to', () => {
  const record = { product: 'shop', schemaRelease: '0.2.4', highestGood: '0.4.0' } as ClusterFacts['record'];
  expect(plan({ record }).findings).toMatchObject([
    { code: 'DOWNGRADE_REFUSED', fix: expect.stringContaining('--allow-downgrade') },
  ]);
});

test('a lock of a helm that was killed is let go of by helm', () => {
  const revisions = [...facts.revisions, revision(2, 'pending-upgrade', '0.3.0')];
  expect(plan({ revisions }).findings[0]?.fix).toContain('helm rollback shop 1 -n prod');
  const first = { revisions: [revision(1, 'pending-install', '0.3.0')], deployed: undefined, from: null, database: undefined };
  expect(plan(first).findings[0]?.fix).toContain('helm uninstall shop -n prod');
});

test('values that lead elsewhere than to the registry are told, by their images', () => {
  const { findings } = plan({}, { registry: 'other.internal/shop' });
  expect(findings.map(({ code }) => code)).toEqual(['IMAGE_UNRESOLVED', 'IMAGE_UNRESOLVED', 'IMAGE_UNRESOLVED']);
  expect(findings[0]?.text).toContain('registry.internal/shop/example/shop-api:0.3.0');
});

test('a schema that changes without a Job that is known as its migration is no upgrade to begin with', () => {
  const target = { ...facts.target, migration: undefined };
  expect(codes({ target })).toEqual(['CHART_UNLABELLED']);
  expect(codes({ target, pathClass: 'irreversible' })).toEqual(['CHART_UNLABELLED']);
  expect(codes({ target, pathClass: 'none' })).toEqual([]);
});

test('an irreversible one without a database to copy is refused, and not carried out in place', () => {
  expect(codes({ database: undefined, pathClass: 'irreversible' })).toEqual(['DATABASE_UNREACHABLE']);
  expect(codes({ database: undefined })).toEqual([]);
});

test('nothing below the security floor, whatever is allowed', () => {
  const record = {
    product: 'shop',
    schemaRelease: '0.2.4',
    highestGood: '0.2.4',
    securityFloor: '0.3.1',
  } as ClusterFacts['record'];
  expect(codes({ record }, { allowDowngrade: true })).toEqual(['DOWNGRADE_REFUSED']);
});

test('a context of the kubeconfig that was named is in every command that is printed', () => {
  const { rollback, findings } = plan({ missing: ['the Secret shop'] }, { context: 'prod-b' });
  expect(rollback).toContain('-n prod --kube-context prod-b');
  expect(findings[0]?.fix).toContain('kubectl -n prod --context prod-b create secret');
});

test('another product under that name', () => {
  const record = { product: 'other' } as ClusterFacts['record'];
  expect(codes({ record })).toContain('PRODUCT_MISMATCH');
});
