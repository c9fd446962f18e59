import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseEnvFile } from '../../../src/vm/env/file.ts';

/** What compose itself reads in odd files: test/engine/env-file.test.ts. */

const set = (text: string, value = '0.3.0') => parseEnvFile(text).set('VERSION', value).toBytes().toString();

describe('set', () => {
  test.each([
    ['VERSION=0.2.4\n', 'VERSION=0.3.0\n'],
    ['# top\r\nVERSION=0.2.4\r\nB=1\r\n', '# top\r\nVERSION=0.3.0\r\nB=1\r\n'],
    ['VERSION="0.2.4" # pinned\n', 'VERSION="0.3.0" # pinned\n'],
    ["VERSION='0.2.4'", "VERSION='0.3.0'"],
    ['export VERSION = 0.2.4  # note  \n', 'export VERSION = 0.3.0  # note  \n'],
    ['VERSION=0.2.4', 'VERSION=0.3.0'],
    ['VERSION=', 'VERSION=0.3.0'],
    ['VERSION=\nB=2\n', 'VERSION=0.3.0\nB=2\n'],
    ['VERSION\nB=2\n', 'VERSION=0.3.0\nB=2\n'],
    ['# VERSION=1\n  VERSION: 0.2.4\n#VERSION=2\n', '# VERSION=1\n  VERSION: 0.3.0\n#VERSION=2\n'],
    ['A="VERSION=1\nVERSION=2"\nVERSION=0.2.4\n', 'A="VERSION=1\nVERSION=2"\nVERSION=0.3.0\n'],
    ['\ufeffVERSION=0.2.4\n', '\ufeffVERSION=0.3.0\n'],
  ])('%j -> %j', (before, after) => expect(set(before)).toBe(after));

  test('keeps bytes that are not UTF-8', () => {
    const bytes = Buffer.from([0x23, 0xff, 0xfe, 0x0a, ...Buffer.from('VERSION=1\n')]);
    const edited = parseEnvFile(bytes).set('VERSION', '2').toBytes();
    expect(edited).toEqual(Buffer.from([0x23, 0xff, 0xfe, 0x0a, ...Buffer.from('VERSION=2\n')]));
  });

  test('quotes a value that needs it, and no other', () => {
    expect(set('VERSION=a\n', 'pa$$word')).toBe("VERSION='pa$$word'\n");
    expect(set('VERSION="a"\n', 'a"b$c')).toBe('VERSION="a\\"b\\$c"\n');
    expect(set('VERSION=x # note\n', '')).toBe("VERSION='' # note\n");
  });

  test('refuses a key that is there twice, naming the lines', () => {
    const file = parseEnvFile('VERSION=1\nA=1\nVERSION=2\n');
    expect(() => file.set('VERSION', '3')).toThrow(/lines 1 and 3/);
    expect(file.set('A', '2').toBytes().toString()).toBe('VERSION=1\nA=2\nVERSION=2\n');
  });

  test('changes only the bytes of the value, whatever is around it', () => {
    const noise = fc.constantFrom('# c', '#', '', '  ', 'A=1', "B='x y' # z", 'C="two\nlines"', 'export D=ü', '# VERSION=9', 'E');
    const lines = fc.array(noise, { maxLength: 6 });
    const shape = fc.constantFrom('VERSION=@', 'VERSION="@"', "VERSION='@'  # was", 'export VERSION=@ # c', ' VERSION = @  ');
    const eol = fc.constantFrom('\n', '\r\n');
    fc.assert(
      fc.property(lines, shape, lines, eol, fc.boolean(), (above, assignment, below, end, last) => {
        const before = [...above, assignment.replace('@', '0.2.4'), ...below].join(end) + (last ? end : '');
        const after = [...above, assignment.replace('@', '0.3.0'), ...below].join(end) + (last ? end : '');
        expect(set(before)).toBe(after);
        expect(parseEnvFile(before).get('VERSION')).toBe('0.2.4');
      }),
    );
  });
});

describe('append', () => {
  const entries = [{ key: 'NEW', value: 'a b', comments: ['# what it is'] }];

  test.each([
    ['A=1', "A=1\n# what it is\nNEW='a b'\n"],
    ['A=1\r\nB=2', "A=1\r\nB=2\r\n# what it is\r\nNEW='a b'\r\n"],
    ['', "# what it is\nNEW='a b'\n"],
  ])('%j', (before, after) => expect(parseEnvFile(before).append(entries).toBytes().toString()).toBe(after));

  test('refuses a key that is there', () => {
    expect(() => parseEnvFile('NEW=1\n').append(entries)).toThrow(/already/);
  });
});

test.each([
  ['A=1\n=x\n', /line 2/],
  ['A=1\nB C=2\n', /line 2: "B C"/],
  ['A=1\n\nB="open\n', /line 3: the quote of B/],
])('%j is refused with its line', (text, message) => {
  expect(() => parseEnvFile(text)).toThrow(message);
});

describe('values as services get them', () => {
  const env = parseEnvFile(['A=one', 'PLAIN=$A-$$x', 'DOUBLE="${A}/${NONE:-two}"', "SINGLE='$A'", 'SELF=$SELF', ''].join('\n'));
  test.each([
    ['PLAIN', 'one-$x'],
    ['DOUBLE', 'one/two'],
    ['SINGLE', '$A'],
    ['SELF', ''],
    ['NONE', undefined],
  ])('%s is %s', (key, expected) => {
    expect(env.expanded(key)).toBe(expected);
  });
});

test('a line without an assignment may be part of a secret: only a text that looks like a mistyped name is quoted', () => {
  expect(() => parseEnvFile(Buffer.from('MY KEY=value'))).toThrow('.env line 1: "MY KEY" is not a variable name');
  expect(() => parseEnvFile(Buffer.from('KEY=\nMHcCAQEE/IJ4711+x==\n'))).toThrow(
    '.env line 2: what it begins with is not a variable name',
  );
  expect(() => parseEnvFile(Buffer.from('hunter2 hunter2\n'))).toThrow('.env line 1: what it begins with is not a variable name');
});
