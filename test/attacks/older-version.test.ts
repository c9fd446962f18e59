// An older release with a known hole, good signature and all, as an "upgrade".
import { expect, test } from 'vitest';
import { codes, facts, running } from '../helpers/plan-facts.ts';

test('below the highest that was good, also after a rollback; --allow-downgrade is explicit', () => {
  const deployment = running({ highestGood: '0.3.5' });
  expect(codes(facts({ deployment }))).toEqual(['DOWNGRADE_REFUSED']);
  expect(codes(facts({ deployment, allowDowngrade: true }))).toEqual([]);
});
test('below what the database was begun by, at a first install that is tried again', () => {
  const deployment = running({ current: null, highestGood: null, schemaRelease: '0.4.0' });
  expect(codes(facts({ kind: 'install', deployment }))).toEqual(['DOWNGRADE_REFUSED']);
});
test('below what runs, where nothing was good yet', () => {
  expect(codes(facts({ deployment: running({ current: '0.3.5', highestGood: null }) }))).toContain('DOWNGRADE_REFUSED');
});
