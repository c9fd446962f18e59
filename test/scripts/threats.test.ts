// docs/THREATS.md has no row without a test, and names none that is not there.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';

const root = path.join(import.meta.dirname, '../..');
const text = readFileSync(path.join(root, 'docs/THREATS.md'), 'utf8');
const rows = text
  .split('\n')
  .filter((line) => line.startsWith('|') && !/^\|[ -]+\|/.test(line))
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .filter((cells) => cells.at(-2) !== 'shown by')
  .map((cells) => ({ attack: cells[1] ?? '', shown: cells.at(-2) ?? '' }));

/** `test/attacks/links.test.ts`, and `devices` behind it for its neighbour. */
function testsOf(shown: string): { file: string; names: string[] }[] {
  let folder = '';
  return [...shown.matchAll(/`([^`]+)`((?: "[^"]*",?)*)/g)].map(([, named = '', quoted = '']) => {
    if (named.includes('/')) folder = path.dirname(named);
    const file = named.includes('/') ? named : path.join(folder, `${named}.test.ts`);
    return { file, names: [...quoted.matchAll(/"([^"]*)"/g)].map(([, name = '']) => name) };
  });
}

test('has rows', () => {
  expect(rows.length).toBeGreaterThan(25);
});

describe.each(rows)('$attack', ({ shown }) => {
  test('is shown by tests that are there', () => {
    const tests = testsOf(shown);
    expect(tests.some(({ file }) => file.endsWith('.test.ts'))).toBe(true);
    for (const { file, names } of tests) {
      expect(existsSync(path.join(root, file)), file).toBe(true);
      const source = existsSync(path.join(root, file)) ? readFileSync(path.join(root, file), 'utf8') : '';
      for (const name of names)
        for (const part of name.split('…').map((piece) => piece.trim())) expect(source, `${file} "${name}"`).toContain(part);
    }
  });
});
