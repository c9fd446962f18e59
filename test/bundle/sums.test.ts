import { describe, expect, test } from 'vitest';
import { formatSums, parseSums } from '../../src/bundle/sums.ts';
import { digestOf } from '../../src/digest.ts';

const a = '0'.repeat(63);
const line = (name: string, last = '1'): string => `${a}${last}  ${name}\n`;

describe('FORMAT.md 2, SHA256SUMS', () => {
  test('is sorted, and reads back', () => {
    const sums = new Map([
      ['env.template', digestOf('2')],
      ['README.md', digestOf('1')],
    ]);
    const bytes = formatSums(sums);
    expect(bytes.toString()).toMatch(/^[0-9a-f]{64} {2}README\.md\n[0-9a-f]{64} {2}env\.template\n$/);
    expect(new Map(parseSums(bytes))).toEqual(sums);
  });

  test.each([
    ['nothing', ''],
    ['no last newline', line('bundle.json').trimEnd()],
    ['an empty line at the end', `${line('bundle.json')}\n`],
    ['an empty line', `\n${line('bundle.json')}`],
    ['binary mode', line('bundle.json').replace('  ', ' *')],
    ['one space', line('bundle.json').replace('  ', ' ')],
    ['uppercase digits', line('bundle.json').replaceAll('0', 'A')],
    ['a short digest', line('bundle.json').slice(1)],
    ['CRLF', line('bundle.json').replace('\n', '\r\n')],
    ['a comment', `# x\n${line('bundle.json')}`],
    ['an escaped name', `\\${line('bundle.json')}`],
    ['a byte order mark', `\ufeff${line('bundle.json')}`],
    ['the wrong order', line('compose.yaml') + line('bundle.json')],
    ['a name twice', line('bundle.json') + line('bundle.json', '2')],
    ['itself', line('SHA256SUMS')],
    ['its signature', line('SHA256SUMS.sig')],
    ['a name that no bundle has', line('install.sh')],
    ['a way up', line('../bundle.json')],
    ['an absolute name', line('/bundle.json')],
    ['a blob with another digest', line(`blobs/sha256/${a}2`)],
  ])('%s is refused', (_what, text) => {
    expect(() => parseSums(Buffer.from(text))).toThrow(expect.objectContaining({ code: 'BUNDLE_SUMS_INVALID' }));
  });
});
