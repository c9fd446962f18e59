// What is reached once a release runs well: one table, for the records on a VM and for the record of a Helm release.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { helmResume } from '../../src/kubernetes/commands/resume.ts';
import { helmRollback } from '../../src/kubernetes/commands/rollback.ts';
import { helmUpgrade } from '../../src/kubernetes/commands/upgrade.ts';
import type { UpgradeOptions } from '../../src/kubernetes/plan/upgrade-options.ts';
import type { ClusterRecord, ClusterTransaction } from '../../src/kubernetes/record/record.ts';
import { reachedAfter, type Reached } from '../../src/policy/reached.ts';
import { openJournal } from '../../src/vm/state/journal.ts';
import { openState } from '../../src/vm/state/open-state.ts';
import { endGood } from '../../src/vm/transaction/end-good.ts';
import type { Transaction } from '../../src/vm/transaction/transaction.ts';
import { makeRelease } from '../helpers/bundle.ts';
import { clusterRecord, openTransaction, revision } from '../helpers/cluster-records.ts';
import { chartOf, fakeRelease } from '../helpers/kubernetes-release.ts';

const now = '2026-11-27T18:00:00Z';
type Case = {
  what: string;
  known: Reached;
  /** The release that is found to be well, and the one before it. */
  version: string;
  from: string;
  declares?: string;
  reached: Reached;
};
const nothing: Reached = { schemaRelease: null, highestGood: null, securityFloor: null };
const at = (schemaRelease: string, highestGood: string, securityFloor: string | null): Reached => ({
  schemaRelease,
  highestGood,
  securityFloor,
});
const forward: Case[] = [
  {
    what: 'a newer one',
    known: at('0.2.4', '0.2.4', null),
    from: '0.2.4',
    version: '0.3.0',
    reached: at('0.3.0', '0.3.0', null),
  },
  {
    what: 'a newer one with a floor',
    known: at('0.2.4', '0.2.4', null),
    from: '0.2.4',
    version: '0.3.0',
    declares: '0.2.4',
    reached: at('0.3.0', '0.3.0', '0.2.4'),
  },
  {
    what: 'a newer one with a higher floor',
    known: at('0.2.4', '0.2.4', '0.2.0'),
    from: '0.2.4',
    version: '0.3.0',
    declares: '0.3.0',
    reached: at('0.3.0', '0.3.0', '0.3.0'),
  },
  {
    what: 'a newer one without a floor of its own',
    known: at('0.2.4', '0.2.4', '0.2.0'),
    from: '0.2.4',
    version: '0.3.0',
    reached: at('0.3.0', '0.3.0', '0.2.0'),
  },
  {
    what: 'an older one than ran here, with a lower floor',
    known: at('0.5.0', '0.5.0', '0.2.4'),
    from: '0.2.4',
    version: '0.3.0',
    declares: '0.2.0',
    reached: at('0.5.0', '0.5.0', '0.2.4'),
  },
];
const first: Case = { what: 'the first', known: nothing, from: '', version: '0.3.0', reached: at('0.3.0', '0.3.0', null) };
const back: Case[] = [
  {
    what: 'an older one, gone back to',
    known: at('0.4.0', '0.4.0', '0.2.4'),
    from: '0.4.0',
    version: '0.3.0',
    declares: '0.2.0',
    reached: at('0.4.0', '0.4.0', '0.2.4'),
  },
];
const releaseOf = ({ version, declares }: Case) =>
  makeRelease({ version, manifest: { database: 'none', ...(declares === undefined ? {} : { securityFloor: declares }) } });

test.each([first, ...forward, ...back])('the rule: $what', (one) => {
  expect(reachedAfter(one.known, releaseOf(one).manifest)).toEqual(one.reached);
});

describe('on a VM', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'airdock-reached-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  test.each([first, ...forward, ...back])('$what', (one) => {
    const clock = () => new Date(now);
    const state = openState(folder, '1.2.3');
    state.createDeployment({ product: 'shop', project: 'shop', endpoint: 'unix:///run/docker.sock' });
    state.updateDeployment({ current: one.version, ...one.known });
    const journal = openJournal(state, clock);
    const release = releaseOf(one);
    const { version } = one;
    state.putRelease({ version, origin: 'bundle', manifest: release.manifest, storedAt: now });
    const record = journal.begin({ kind: 'upgrade', from: null, to: version, class: 'none', operator: 'root', program: '1.2.3' });
    const transaction = { site: { state, journal, host: { clock } }, record, target: release };
    state.commit(() => endGood(transaction as unknown as Transaction));
    expect(state.deployment()).toMatchObject(one.reached);
    expect(state.release(version)?.goodAt).toBe('2026-11-27T18:00:00.000Z');
    state.close();
  });
});

describe('on Kubernetes', () => {
  const recorded = ({ known, from, version, declares }: Case, more: Partial<ClusterRecord> = {}): ClusterRecord =>
    clusterRecord({
      ...known,
      current: from === '' ? null : from,
      checks: [{ version, health: [], traffic: ['web'], ...(declares === undefined ? {} : { securityFloor: declares }) }],
      ...more,
    });
  const interrupted = ({ from, version }: Case, kind: ClusterTransaction['kind']): ClusterTransaction =>
    openTransaction({ kind, from: from === '' ? null : from, to: version, revisions: { before: 1, last: 1, after: null } });
  const manifests = chartOf('api');

  test.each([first, ...forward])('$what: helm upgrade', async (one) => {
    const { manifest } = releaseOf(one);
    const history = one.from === '' ? [] : [revision(1, 'deployed', one.from)];
    const record = one === first ? undefined : recorded(one, { checks: [] });
    const { site, left } = fakeRelease({ record, history, manifests, version: one.version });
    const bundle = { manifest, signer: { fingerprint: 'SHA256:x', pem: '', chain: undefined } };
    const options = { bundle, values: [], set: {}, allowDowngrade: true, consent: async () => {} };
    await helmUpgrade(site, options as unknown as UpgradeOptions);
    expect(left()).toMatchObject({ current: one.version, ...one.reached });
  });

  test.each([
    ...forward.map((one) => ({ ...one, kind: 'upgrade' as const })),
    ...back.map((one) => ({ ...one, kind: 'rollback' as const })),
  ])('$what: a $kind that resume ends', async ({ kind, ...one }) => {
    const history = [revision(1, 'superseded', one.from), revision(2, 'deployed', one.version)];
    const record = recorded(one, { transactions: [interrupted(one, kind)] });
    const { site, left } = fakeRelease({ record, history, manifests });
    await helmResume(site, { consent: async () => {} });
    expect(left()).toMatchObject({ current: one.version, ...one.reached });
  });

  test.each(back)('$what: helm rollback', async (one) => {
    const history = [revision(1, 'superseded', one.version), revision(2, 'deployed', one.from)];
    const { site, left } = fakeRelease({ record: recorded(one), history, manifests });
    const options = {
      to: undefined,
      restoreDatabase: false,
      dataIsSavedElsewhere: false,
      forceConflicts: false,
      ownerSuspended: false,
      timeoutSeconds: 1,
    };
    await helmRollback(site, { ...options, consent: async () => {} });
    expect(left()).toMatchObject({ current: one.version, ...one.reached });
  });

  test('a kept database that came back has its own schema', async () => {
    const [one] = back;
    if (!one) throw new Error('no such case');
    const undo = {
      replicas: {},
      live: { name: 'shop', oid: 1 },
      next: { name: 'shop_0_3_0_t1', oid: 2 },
      aside: 'shop_0_4_0_t2',
    };
    const kept = [{ name: 'shop_0_3_0_t1', oid: 2, release: '0.3.0', schemaRelease: '0.3.0', keptAt: now }];
    const record = recorded(one, { kept, transactions: [{ ...interrupted(one, 'rollback'), undo }] });
    const history = [revision(1, 'superseded', one.from), revision(2, 'deployed', one.version)];
    const { site, left } = fakeRelease({ record, history, manifests });
    await helmResume(site, { consent: async () => {} });
    expect(left()).toMatchObject({ ...one.reached, schemaRelease: '0.3.0' });
    expect(left()?.kept).toMatchObject([{ name: 'shop_0_4_0_t2', oid: 1, release: '0.4.0', schemaRelease: '0.4.0' }]);
  });
});
