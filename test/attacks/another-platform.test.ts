// A bundle for another processor: its images would start and fail, after the old ones were stopped.
import { expect, test } from 'vitest';
import { codes, facts } from '../helpers/plan-facts.ts';

test('is refused', () => {
  expect(codes(facts({}, { platform: 'linux/arm64' }))).toEqual(['PLATFORM_MISMATCH']);
  expect(codes(facts({}, { platform: 'linux/amd64' }))).toEqual([]);
});
test('also at a first install, and on a way back', () => {
  expect(codes(facts({ kind: 'install', deployment: undefined }, { platform: 'linux/arm64' }))).toEqual(['PLATFORM_MISMATCH']);
  expect(codes(facts({ kind: 'rollback' }, { platform: 'linux/arm64', version: '0.2.3' }))).toContain('PLATFORM_MISMATCH');
});
