// With which code a plan is refused: one table, for plans on a VM and for upgrades on Kubernetes.
import { describe, expect, test } from 'vitest';
import { exitCodes, isAirdockError, type ErrorCode } from '../../src/errors.ts';
import { helmPrepare } from '../../src/kubernetes/commands/prepare.ts';
import { helmUpgrade } from '../../src/kubernetes/commands/upgrade.ts';
import type { UpgradeOptions } from '../../src/kubernetes/plan/upgrade-options.ts';
import { refusalCode, type Finding, type FindingCode } from '../../src/policy/finding.ts';
import { assertClear } from '../../src/vm/plan/plan.ts';
import { makeRelease } from '../helpers/bundle.ts';
import { clusterRecord, revision } from '../helpers/cluster-records.ts';
import { chartOf, fakeRelease } from '../helpers/kubernetes-release.ts';
import { facts, planOf } from '../helpers/plan-facts.ts';

const cases: { found: FindingCode[]; refused: ErrorCode | undefined }[] = [
  { found: [], refused: undefined },
  { found: ['PRODUCT_MISMATCH'], refused: 'PRODUCT_MISMATCH' },
  { found: ['LOCKED'], refused: 'LOCKED' },
  { found: ['CHART_UNLABELLED'], refused: 'CHART_UNLABELLED' },
  { found: ['CLUSTER_FORBIDDEN', 'CLUSTER_FORBIDDEN'], refused: 'CLUSTER_FORBIDDEN' },
  // without an exit code of its own
  { found: ['SECRET_MISSING'], refused: 'PREFLIGHT_FAILED' },
  { found: ['SECRET_MISSING', 'SECRET_MISSING'], refused: 'PREFLIGHT_FAILED' },
  { found: ['PRODUCT_MISMATCH', 'CLUSTER_FORBIDDEN'], refused: 'PREFLIGHT_FAILED' },
];
/** Those that Kubernetes does not have. */
const ofVms: typeof cases = [
  { found: ['VALUE_MISSING', 'VALUE_MISSING'], refused: 'VALUE_MISSING' },
  { found: ['VALUE_MISSING', 'PORT_IN_USE'], refused: 'PREFLIGHT_FAILED' },
  { found: ['DRIFT', 'DRIFT'], refused: 'DRIFT' },
];

/** What a refusal says, and of which findings; undefined when `work` is not refused. */
async function refusalBy(work: () => Promise<unknown>) {
  try {
    await work();
  } catch (error) {
    if (!isAirdockError(error)) throw error;
    const findings = error.details?.['findings'] as Finding[];
    const whole = error.message === findings.map(({ text }) => text).join('\n');
    return { code: error.code, exitCode: error.exitCode, found: findings.map(({ code }) => code), whole };
  }
  return undefined;
}
const expected = ({ found, refused }: (typeof cases)[number]) =>
  refused && { code: refused, exitCode: exitCodes[refused], found, whole: true };

test.each([...cases, ...ofVms])('a VM: $found is refused as $refused', async ({ found, refused }) => {
  const findings = found.map((code, at) => ({ code, text: `${code} ${at}`, fix: 'Put it right.' }));
  const plan = planOf(facts({ findings }));
  expect(await refusalBy(async () => assertClear(plan))).toEqual(expected({ found, refused }));
  expect(refusalCode(plan.findings)).toBe(refused);
});

test('what to do is said once, however often it is found', () => {
  const findings = [1, 2].map((at) => ({ code: 'DRIFT' as const, text: `container ${at} differs`, fix: 'Bring them back.' }));
  expect(() => assertClear(planOf(facts({ findings })))).toThrow(expect.objectContaining({ hint: 'Bring them back.' }));
});

describe.each([
  ['helm upgrade', helmUpgrade],
  ['helm prepare', helmPrepare],
])('%s', (_name, command) => {
  test.each(cases)('$found is refused as $refused', async ({ found, refused }) => {
    const count = (code: FindingCode): number => found.filter((one) => one === code).length;
    const rights = ['create pods', 'delete jobs.batch'].slice(0, count('CLUSTER_FORBIDDEN'));
    const chart = {
      migration: count('CHART_UNLABELLED') === 0,
      secrets: ['login', 'key'].slice(0, count('SECRET_MISSING')),
    };
    const { site, told } = fakeRelease({
      record: clusterRecord({ product: count('PRODUCT_MISMATCH') === 0 ? 'shop' : 'other' }),
      history: [revision(1, 'deployed', '0.2.4'), ...(count('LOCKED') === 0 ? [] : [revision(2, 'pending-upgrade', '0.3.0')])],
      manifests: chartOf('api', chart),
      version: '0.3.0',
      may: (right) => !rights.includes(right),
    });
    const { manifest } = makeRelease({ manifest: { database: 'none' } });
    const signer = { fingerprint: 'SHA256:x', pem: '', chain: undefined };
    const options = { bundle: { manifest, signer }, values: [], set: {}, consent: async () => {} };
    expect(await refusalBy(() => command(site, options as unknown as UpgradeOptions))).toEqual(expected({ found, refused }));
    expect(told).toEqual(refused === undefined && command === helmUpgrade ? ['upgrade'] : []);
  });
});
