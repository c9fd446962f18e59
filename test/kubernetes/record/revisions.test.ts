import { expect, test } from 'vitest';
import type { ClusterRecord, ClusterTransaction } from '../../../src/kubernetes/record/record.ts';
import { deployedOf, madeBy, servingOf } from '../../../src/kubernetes/record/revisions.ts';
import { revision } from '../../helpers/cluster-records.ts';

/** `3 failed 0.3.1` */
const history = (...lines: string[]) =>
  lines.map((line) => {
    const [number, status = '', version = ''] = line.split(' ');
    return revision(Number(number), status, version);
  });
const record = (current: string, ...outcomes: ClusterTransaction['outcome'][]) =>
  ({ current, transactions: outcomes.map((outcome) => ({ outcome })) }) as ClusterRecord;

test('what is in place after an upgrade that was left with its database (exit 7) is that one, and not what helm calls deployed', () => {
  const left = history('2 superseded 0.2.4', '3 deployed 0.3.0', '4 failed 0.4.0');
  expect(deployedOf(left)?.app_version).toBe('0.3.0');
  expect(servingOf(left, record('0.4.0', 'done', 'failed'))?.revision).toBe(4);
  // the next one failed before helm was asked
  expect(servingOf(left, record('0.4.0', 'failed', 'undone'))?.revision).toBe(4);
  expect(servingOf([...left, ...history('5 deployed 0.4.0')], record('0.4.0', 'failed', 'done'))?.revision).toBe(5);
});

test('a revision that failed and was taken back is not in place', () => {
  const back = history('3 deployed 0.3.0', '4 failed 0.3.1');
  expect(servingOf(back, record('0.3.0', 'undone'))?.revision).toBe(3);
  expect(servingOf(back, undefined)?.revision).toBe(3);
  expect(servingOf([], undefined)).toBeUndefined();
});

test('what helm made of a transaction is above the last revision there was, and of its version: an older failed one is none of it', () => {
  const one = { to: '0.4.0', revisions: { before: 2, last: 3, after: null } };
  const failedBefore = history('2 deployed 0.3.0', '3 failed 0.4.0');
  expect(madeBy(one, failedBefore)).toBeUndefined();
  expect(madeBy(one, [...failedBefore, ...history('4 pending-upgrade 0.4.0')])?.revision).toBe(4);
  expect(madeBy(one, [...failedBefore, ...history('4 deployed 0.3.5')])).toBeUndefined();
  // a record of before `last`
  expect(madeBy({ ...one, revisions: { before: 2, last: null, after: null } }, failedBefore)?.revision).toBe(3);
});
