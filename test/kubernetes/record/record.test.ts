import { beforeEach, expect, test } from 'vitest';
import { openTransaction, RecordStore } from '../../../src/kubernetes/record/record.ts';
import { helmResume } from '../../../src/kubernetes/commands/resume.ts';
import type { KubernetesRelease } from '../../../src/kubernetes/record/site.ts';
import { leftStopped } from '../../../src/kubernetes/steps/swap.ts';
import { begin, end, failed, note } from '../../../src/kubernetes/record/transaction.ts';
import { AirdockError } from '../../../src/errors.ts';
import type { KubeObject, Kubectl } from '../../../src/io/kubectl.ts';
import { clusterRecord } from '../../helpers/cluster-records.ts';

/** One Secret, with versions, as the API server keeps it. */
class OneSecret {
  kept: KubeObject | undefined;
  #version = 0;
  get = async <T>(): Promise<T | undefined> => structuredClone(this.kept) as T | undefined;
  create = async (object: KubeObject): Promise<KubeObject> => {
    if (this.kept) throw new AirdockError('LOCKED', 'it exists');
    return this.#put(object);
  };
  replace = async (object: KubeObject): Promise<KubeObject> => {
    if (object.metadata.resourceVersion !== this.kept?.metadata.resourceVersion)
      throw new AirdockError('LOCKED', 'it was changed');
    return this.#put(object);
  };
  #put(object: KubeObject): KubeObject {
    this.kept = { ...object, metadata: { ...object.metadata, resourceVersion: String((this.#version += 1)) } };
    return structuredClone(this.kept);
  }
}

let secret: OneSecret;
const empty = clusterRecord();
const what = { kind: 'upgrade', from: '0.2.4', to: '0.3.0', class: 'expand', before: 1, last: 1 } as const;
const site = (operator: string): KubernetesRelease =>
  ({
    release: 'shop',
    kubectl: { namespace: 'prod' },
    records: new RecordStore(secret as unknown as Kubectl, 'shop'),
    host: { clock: () => new Date('2026-11-27T02:14:00Z'), operator, listener: () => {}, patience: { forMs: 200, everyMs: 10 } },
  }) as unknown as KubernetesRelease;

beforeEach(() => {
  secret = new OneSecret();
});

test('what was written is read, from another machine too; the Secret is named after the release', async () => {
  const here = site('anna@here');
  expect(await here.records.read()).toBeUndefined();
  const running = await begin(here, empty, what);
  expect(secret.kept).toMatchObject({ kind: 'Secret', type: 'airdock.dev/record', metadata: { name: 'airdock.shop' } });
  const seen = await site('ben@there').records.read();
  expect(seen).toEqual(running.record);
  expect(seen && openTransaction(seen)).toMatchObject({ id: 1, operator: 'anna@here', outcome: null });
});

test('of two that begin at once, one is refused', async () => {
  const [one, two] = [site('anna@here'), site('ben@there')];
  await one.records.read();
  await two.records.read();
  await begin(one, empty, what);
  await expect(begin(two, empty, what)).rejects.toMatchObject({ code: 'LOCKED' });
});

test('who comes later is told who is at work, and since when', async () => {
  await begin(site('anna@here'), empty, what);
  const later = site('ben@there');
  const record = await later.records.read();
  await expect(begin(later, record!, what)).rejects.toMatchObject({
    code: 'LOCKED',
    exitCode: 8,
    message: expect.stringMatching(/upgrade 0\.3\.0\) by anna@here .*2026-11-27T02:14:00Z/),
  });
});

test('what an undo needs is in the record before it is needed, and gone at the end', async () => {
  const here = site('anna@here');
  const running = await begin(here, empty, what);
  const undo = { replicas: { 'deployment/shop-api': 2 }, live: { name: 'shop', oid: 16384 }, next: null, aside: null };
  await note(here, running, { undo });
  expect((await site('ben@there').records.read())?.transactions.at(-1)?.undo).toEqual(undo);
  expect(running.transaction.undo).toEqual(undo);
  await end(here, running, 'done', {}, { current: '0.3.0' });
  const after = await site('ben@there').records.read();
  expect(after).toMatchObject({ current: '0.3.0', transactions: [{ outcome: 'done', undo: null }] });
});

test('a failure that was taken back is thrown as it was; one that was not leaves the transaction open', async () => {
  const here = site('anna@here');
  const cause = new AirdockError('MIGRATION_FAILED', 'duplicate key');
  const first = await begin(here, empty, what);
  await expect(failed(here, first, cause, async () => ({ outcome: 'undone', summary: '0.2.4 is serving' }))).rejects.toBe(cause);
  expect(await site('x').records.read()).toMatchObject({ transactions: [{ outcome: 'undone', error: 'duplicate key' }] });

  const second = await begin(here, first.record, what);
  await expect(failed(here, second, cause, () => Promise.reject(new Error('no answer')))).rejects.toMatchObject({
    code: 'UNDO_FAILED',
    exitCode: 7,
    message: expect.stringMatching(/duplicate key\n.*no answer/),
  });
  const record = await site('x').records.read();
  expect(record && openTransaction(record)).toMatchObject({ id: 2 });
});

test('what somebody else writes right behind us is noticed, and not written over', async () => {
  const [here, ben] = [site('anna@here'), site('ben@there')];
  const { create } = secret;
  secret.create = async (object) => {
    const written = await create(object);
    const record = (await ben.records.read())!;
    await note(ben, { record, transaction: openTransaction(record)! }, { operator: 'ben@there', pid: 7 });
    return written;
  };
  const running = await begin(here, empty, what);
  await expect(note(here, running, { rehearsed: true })).rejects.toMatchObject({ code: 'LOCKED' });
});

test('a write whose answer was lost is no other one’s, and nor is a label that somebody puts on the Secret', async () => {
  const here = site('anna@here');
  const running = await begin(here, empty, what);
  const { replace } = secret;
  secret.replace = async (object) => {
    await replace(object);
    secret.replace = replace;
    throw new AirdockError('LOCKED', 'EOF, and kubectl asks again');
  };
  await note(here, running, { rehearsed: true });
  await secret.replace(secret.kept!);
  await note(here, running, { backup: 'shop-1' });
  expect(await site('x').records.read()).toEqual(running.record);
  expect(running).toMatchObject({ transaction: { rehearsed: true, backup: 'shop-1' } });
});

test('an undo is tried again while the cluster does not answer, and so is the end', async () => {
  const here = site('anna@here');
  const running = await begin(here, empty, what);
  const away = () => new AirdockError('CLUSTER_UNREACHABLE', 'no route');
  const { replace } = secret;
  let tries = 0;
  secret.replace = async (object) => {
    if ((tries += 1) % 2 === 1) throw away();
    return replace(object);
  };
  let undone = 0;
  const undo = async () => {
    if ((undone += 1) < 3) throw away();
    return { outcome: 'rolled-back' as const, summary: '0.2.4 is serving again' };
  };
  // it came of something that is found before anything is done, and was found after
  await expect(failed(here, running, away(), undo)).rejects.toMatchObject({
    code: 'STEP_FAILED',
    exitCode: 6,
    message: 'no route',
  });
  expect([undone, tries]).toEqual([3, 2]);
  expect(await site('x').records.read()).toMatchObject({ transactions: [{ outcome: 'rolled-back' }] });
});

test('a record of a newer airdock is not touched', async () => {
  const here = site('anna@here');
  await begin(here, empty, what);
  const { gzipSync } = await import('node:zlib');
  const data = { record: gzipSync(JSON.stringify({ ...empty, schema: 'airdock.cluster/2' })).toString('base64') };
  secret.kept = { ...secret.kept!, data };
  await expect(site('ben@there').records.read()).rejects.toMatchObject({ code: 'STATE_TOO_NEW' });
});

test('a resume takes a transaction over by a write: whoever was at it after all stops with its next one, and undoes nothing', async () => {
  const anna = site('anna@here');
  const running = await begin(anna, empty, what);
  const ben = site('ben@there');
  const record = (await ben.records.read())!;
  await note(ben, { record, transaction: openTransaction(record)! }, { operator: 'ben@there', pid: 7 });
  const noticed = await note(anna, running, { rehearsed: true }).catch((error: unknown) => error);
  expect(noticed).toMatchObject({ code: 'LOCKED', message: expect.stringContaining('took transaction 1 over') });
  let undone = false;
  const undo = async () => ((undone = true), { outcome: 'undone' as const, summary: '' });
  await expect(failed(anna, running, noticed, undo)).rejects.toBe(noticed);
  expect(undone).toBe(false);
  expect(openTransaction((await ben.records.read())!)).toMatchObject({ operator: 'ben@there', pid: 7 });
});

test('resume: one that runs on this machine is left alone, and anybody else’s is asked about, before anything is touched', async () => {
  await begin(site('anna@here'), empty, what);
  const before = structuredClone(secret.kept);
  const at = (operator: string, runs: boolean): KubernetesRelease => {
    const one = site(operator);
    return { ...one, host: { ...one.host, runs: async () => runs } };
  };
  const asked: string[] = [];
  const consent = async (text: string): Promise<void> => {
    asked.push(text);
    throw new AirdockError('CONSENT_NEEDED', 'no');
  };
  await expect(helmResume(at('anna@here', true), { consent })).rejects.toMatchObject({ code: 'LOCKED' });
  expect(asked).toEqual([]);
  await expect(helmResume(at('anna@here', false), { consent })).rejects.toMatchObject({ code: 'CONSENT_NEEDED' });
  await expect(helmResume(at('ben@there', true), { consent })).rejects.toMatchObject({ code: 'CONSENT_NEEDED' });
  expect(asked[1]).toContain('transaction 1 (upgrade 0.3.0) by anna@here, since 2026-11-27T02:14:00Z');
  expect(secret.kept).toEqual(before);
});

test('replicas that an upgrade with exit 7 left at none are known until one goes well, whatever fails in between', async () => {
  const here = site('anna@here');
  const undo = { replicas: { 'deployment/shop-api': 3 }, live: null, next: null, aside: null };
  const left = async () => leftStopped((await here.records.read())!);
  const first = await begin(here, empty, what);
  await end(here, first, 'failed', { undo });
  expect(await left()).toEqual(undo.replicas);
  const second = await begin(here, first.record, what);
  await end(here, second, 'undone');
  expect(await left()).toEqual(undo.replicas);
  const third = await begin(here, second.record, what);
  await end(here, third, 'done');
  expect(await left()).toEqual({});
});
