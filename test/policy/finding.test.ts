// Findings: each code is in the operator's book, and what an error says becomes a finding only where its code may be one.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { AirdockError } from '../../src/errors.ts';
import { findingCodes, findingOf } from '../../src/policy/finding.ts';

const book = readFileSync(path.join(import.meta.dirname, '../../docs/OPERATIONS.md'), 'utf8');
const [, section = ''] = /\n### Findings\n([^]*?)\n##/.exec(book) ?? [];
const documented = [...section.matchAll(/^\| `([A-Z_]+)` *\| (.*?) *\| (.*?) *\|$/gm)].map(([, code, means, remedy]) => ({
  code,
  means,
  remedy,
}));

test('the operator’s book has each code once, in order, with the sentence that the program has', () => {
  expect(documented.map(({ code, means }) => [code, means])).toEqual(Object.entries(findingCodes));
});

test('and says what to do', () => {
  expect(documented.filter(({ remedy }) => !remedy)).toEqual([]);
});

test('an error that was met while looking is a finding', () => {
  const error = new AirdockError('DATABASE_AUTH', 'the database refused user notes', { hint: 'Change it back in .env.' });
  expect(findingOf(error)).toEqual({ code: 'DATABASE_AUTH', text: error.message, fix: 'Change it back in .env.' });
});

test.each([
  ['a defect', new TypeError('x')],
  ['Ctrl-C', new AirdockError('INTERRUPTED', 'psql was interrupted')],
])('%s is none, and goes on as it is', (_what, error) => {
  expect(() => findingOf(error)).toThrow(error);
});
