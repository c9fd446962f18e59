// A copy that was cut short: at every 512 bytes, and beside them.
import { expect, test } from 'vitest';
import { attacked, expectRefused } from '../helpers/attack.ts';

const target = attacked();

test('at every 512 bytes', async () => {
  expect(target.bytes.length).toBeLessThan(64 * 1024);
  let places = 0;
  for (let length = 0; length < target.bytes.length; length += 512, places++)
    await expectRefused(target, target.bytes.subarray(0, length), 'BUNDLE_TRUNCATED');
  expect(places).toBe(target.bytes.length / 512);
}, 60_000);
test.each([1, 511, 513])('%i bytes before its end', (count) =>
  expectRefused(target, target.bytes.subarray(0, target.bytes.length - count), 'BUNDLE_TRUNCATED'),
);
test('in its first header', () => expectRefused(target, target.bytes.subarray(0, 100), 'BUNDLE_TRUNCATED'));
