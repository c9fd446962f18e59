// Something in the room between the end of a file and the next block: no digest covers it.
import { test } from 'vitest';
import { attacked, expectRefused, layerOf } from '../helpers/attack.ts';
import { dataOf, putTogether, replace } from '../helpers/forge.ts';
import { paddingOf } from '../../src/bundle/tar.ts';

const target = attacked();
const padded = (name: string, at: number) => {
  const padding = Buffer.alloc(paddingOf(dataOf(target.entries, name).length));
  padding.writeUInt8(1, at < 0 ? padding.length + at : at);
  return putTogether(replace(target.entries, name, { padding }));
};

test.each(['SHA256SUMS', 'bundle.json', 'README.md', 'bin/airdock-linux-x64.gz', 'manifest.json'])('behind %s', async (name) => {
  await expectRefused(target, padded(name, 0), 'BUNDLE_PADDING');
  await expectRefused(target, padded(name, -1), 'BUNDLE_PADDING');
});
test('behind the last layer', () => expectRefused(target, padded(layerOf(target), -1), 'BUNDLE_PADDING'));
