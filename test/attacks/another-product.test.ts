// A bundle of another product of the same vendor, signed by the same key.
import { expect, test } from 'vitest';
import { codes, facts, running } from '../helpers/plan-facts.ts';

test('is refused where one is installed', () => {
  expect(codes(facts({ deployment: running({ product: 'other' }) }))).toEqual(['PRODUCT_MISMATCH']);
});
test('whatever else stands against it is said as well', () => {
  const deployment = running({ product: 'other', highestGood: '0.9.0' });
  expect(codes(facts({ deployment }))).toEqual(['PRODUCT_MISMATCH', 'DOWNGRADE_REFUSED']);
});
