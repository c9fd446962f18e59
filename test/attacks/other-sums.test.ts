// SHA256SUMS in forms that sha256sum -c reads as well, or reads otherwise than we do. All of them are signed.
import { test } from 'vitest';
import { attacked, expectRefused } from '../helpers/attack.ts';
import { dataOf, putTogether, replace, resign } from '../helpers/forge.ts';

const target = attacked();
const signed = (change: (text: string) => string) => {
  const text = dataOf(target.entries, 'SHA256SUMS').toString();
  const data = Buffer.from(change(text));
  return putTogether(resign(replace(target.entries, 'SHA256SUMS', { data })));
};
const line = /^([0-9a-f]{64}) {2}(README\.md)$/m;

test.each<[string, (text: string) => string]>([
  ['uppercase digits', (text) => text.replace(/^[0-9a-f]{64}/, (hex) => hex.toUpperCase())],
  ['a digest of SHA-1', (text) => text.replace(line, `${'a'.repeat(40)}  $2`)],
  ['a digest of SHA-512', (text) => text.replace(line, `${'a'.repeat(128)}  $2`)],
  ['the form of BSD', (text) => text.replace(line, 'SHA256 ($2) = $1')],
  ['a binary mark', (text) => text.replace(line, '$1 *$2')],
  ['an escaped name', (text) => text.replace(line, '\\\\$1  $2')],
  ['one space', (text) => text.replace(line, '$1 $2')],
  ['a tab', (text) => text.replace(line, '$1\t$2')],
  ['lines of DOS', (text) => text.replaceAll('\n', '\r\n')],
  ['a comment', (text) => `# harmless\n${text}`],
  ['an empty line', (text) => `${text}\n`],
  ['no newline at the end', (text) => text.trimEnd()],
  ['another order', (text) => `${text.trimEnd().split('\n').toReversed().join('\n')}\n`],
  ['a line twice', (text) => text.replace(line, '$1  $2\n$1  $2')],
  ['itself', (text) => text.replace(/^/, `${'a'.repeat(64)}  SHA256SUMS\n`)],
  ['a way up', (text) => text.replace(/^/, `${'a'.repeat(64)}  ../x\n`)],
  ['a blob under another name', (text) => text.replace(/^[0-9a-f]{64}( {2}blobs)/m, `${'a'.repeat(64)}$1`)],
  ['a byte order mark', (text) => `\uFEFF${text}`],
  ['nothing', () => ''],
])('%s', (_what, change) => expectRefused(target, signed(change), 'BUNDLE_SUMS_INVALID'));
