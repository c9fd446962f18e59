// Twice the same name: who checks reads the one, who uses the other.
import { test } from 'vitest';
import { attacked, before, expectRefused, layerOf } from '../helpers/attack.ts';
import { dataOf, putTogether, relist } from '../helpers/forge.ts';

const target = attacked();

test.each(['SHA256SUMS', 'SHA256SUMS.sig', 'bundle.json', 'compose.yaml', 'index.json'])('%s once more, at the end', (name) =>
  expectRefused(target, putTogether([...target.entries, { name, data: dataOf(target.entries, name) }]), 'BUNDLE_ENTRY_DUPLICATE'),
);

test('compose.yaml with other bytes behind the first', () =>
  expectRefused(
    target,
    putTogether(before(target, 'env.template', { name: 'compose.yaml', data: Buffer.from('services: {}') })),
    'BUNDLE_ENTRY_DUPLICATE',
  ));

test('a layer', () => {
  const name = layerOf(target);
  return expectRefused(
    target,
    putTogether([...target.entries, { name, data: dataOf(target.entries, name) }]),
    'BUNDLE_ENTRY_DUPLICATE',
  );
});

test('signed as it is: a second one is no better with a good signature', () => {
  const twice = before(target, 'env.template', { name: 'compose.yaml', data: dataOf(target.entries, 'compose.yaml') });
  return expectRefused(target, putTogether(relist(twice)), 'BUNDLE_ENTRY_DUPLICATE');
});
