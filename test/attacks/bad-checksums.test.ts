// A header whose checksum is wrong, or right in a form that only some readers take.
import { test } from 'vitest';
import { encodeHeader } from '../../src/bundle/tar.ts';
import { attacked, expectRefused } from '../helpers/attack.ts';
import { dataOf, mtime, putTogether, replace } from '../helpers/forge.ts';

const target = attacked();
const withSum = (change: (sum: number) => string) => {
  const header = encodeHeader({ name: 'README.md', size: dataOf(target.entries, 'README.md').length, mtime });
  const sum = Number.parseInt(header.subarray(148, 154).toString(), 8);
  header.fill(0, 148, 156).write(change(sum), 148, 'latin1');
  return putTogether(replace(target.entries, 'README.md', { header }));
};
const octal = (sum: number) => sum.toString(8).padStart(6, '0');

test.each<[string, (sum: number) => string]>([
  ['one too many', (sum) => `${octal(sum + 1)} \0`],
  ['none', () => '        '],
  ['zeros', () => '000000 \0'],
  ['right, with the NUL first as GNU tar writes it', (sum) => `${octal(sum)}\0 `],
  ['right, with leading spaces', (sum) => `${sum.toString(8).padStart(6)} \0`],
  ['over signed bytes', (sum) => `${octal(sum - 256)} \0`],
])('%s', (_what, change) => expectRefused(target, withSum(change), 'BUNDLE_HEADER'));
