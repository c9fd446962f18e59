// A second archive behind the first: `tar -i` and docker load go on where others stop.
import { test } from 'vitest';
import { attacked, before, expectRefused } from '../helpers/attack.ts';
import { putTogether } from '../helpers/forge.ts';

const target = attacked();
const planted = () => putTogether([{ name: 'compose.yaml', data: Buffer.from('services: {}') }]);

test('the same once more', () => expectRefused(target, Buffer.concat([target.bytes, target.bytes]), 'BUNDLE_TRAILING_DATA'));
test('another one', () => expectRefused(target, Buffer.concat([target.bytes, planted()]), 'BUNDLE_TRAILING_DATA'));
test('behind one block of zeros instead of two', () =>
  expectRefused(target, Buffer.concat([putTogether(target.entries, Buffer.alloc(512)), planted()]), 'BUNDLE_TRAILING_DATA'));
test('before it', () => expectRefused(target, Buffer.concat([planted(), target.bytes]), 'BUNDLE_ORDER'));
test('a block of zeros in the middle', () => {
  const at = target.entries.findIndex(({ name }) => name === 'README.md');
  const front = putTogether(target.entries.slice(0, at), Buffer.alloc(512));
  return expectRefused(target, Buffer.concat([front, putTogether(target.entries.slice(at))]), 'BUNDLE_TRAILING_DATA');
});
test('within a file of the release', () =>
  expectRefused(
    target,
    putTogether(before(target, 'README.md', { name: 'chart/x.tgz', data: planted() })),
    'BUNDLE_ENTRY_UNLISTED',
  ));
