// Back to a release that the vendor declared unsafe: it lies in the store, and its signature was good.
import { expect, test } from 'vitest';
import { codes, facts, running } from '../helpers/plan-facts.ts';

const deployment = running({ current: '0.3.0', schemaRelease: '0.3.0', securityFloor: '0.3.0' });

test('a rollback below the highest floor that became good is refused', () => {
  expect(codes(facts({ kind: 'rollback', deployment }, { version: '0.2.4' }))).toEqual(['ROLLBACK_REFUSED']);
});
test('one to the floor itself is not', () => {
  const above = { ...deployment!, current: '0.3.5' };
  expect(codes(facts({ kind: 'rollback', deployment: above }, { version: '0.3.0' }))).toEqual([]);
});
test('--restore-database and a backup do not change that', () => {
  const restore = { kept: null, backup: 'b', release: '0.2.4', schemaRelease: '0.2.4', at: '', proven: true, encrypted: false };
  expect(codes(facts({ kind: 'rollback', deployment, restore, restoreDatabase: true }, { version: '0.2.4' }))).toContain(
    'ROLLBACK_REFUSED',
  );
});
