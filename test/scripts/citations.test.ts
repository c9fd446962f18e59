// scripts/citations.ts, on a small repository: what it finds, and what it lets pass.
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { describe, expect, test } from 'vitest';
import { badCitations } from '../../scripts/citations.ts';
import { temporaryFolder } from '../helpers/bundle.ts';

const root = path.join(import.meta.dirname, '../..');

const pages = {
  'docs/FACTS.md': '# Facts\n\n## 1. Logins\n\n### A killed exec\n',
  'docs/adr/0001-transaction.md': '# 1. A transaction\n\n## Undo, until good\n',
  'src/lock.ts': '',
};

/** A repository of these pages, and one more file. */
async function citing(file: string, text: string): Promise<string[]> {
  await using folder = await temporaryFolder();
  for (const [name, content] of Object.entries({ ...pages, [file]: text })) {
    await mkdir(path.dirname(folder.file(name)), { recursive: true });
    await writeFile(folder.file(name), content);
  }
  return badCitations(folder.path);
}

describe('a document that is elsewhere', () => {
  test.each([
    ['a word in a comment', 'src/a.ts', '// so says DESIGN, 2', 'src/a.ts:1: DESIGN is not in this repository'],
    ['in a page', 'docs/A.md', 'one\n\ntwo (CONTRACTS "x")', 'docs/A.md:3: CONTRACTS is not in this repository'],
    ['in a text', 'src/a.ts', "const a = 'JOURNEY';", 'src/a.ts:1: JOURNEY is not in this repository'],
    ['facts without their place', 'src/a.ts', '/** FACTS section 4 */', 'src/a.ts:1: FACTS is not in this repository'],
    ['a number of a tracker', 'docs/A.md', 'see issue 16', 'docs/A.md:1: issue 16 is not in this repository'],
  ])('%s', async (_, file, text, said) => {
    expect(await citing(file, text)).toContain(said);
  });
});

describe('a path or a heading that is not there', () => {
  test.each([
    ['a page', 'src/a.ts', '// docs/GONE.md', 'src/a.ts:1: docs/GONE.md is not there'],
    ['a source, behind code', 'src/a.ts', 'run(); // as src/gone.ts does', 'src/a.ts:1: src/gone.ts is not there'],
    [
      'a test, in a script',
      'scripts/a',
      '#!/bin/sh\n# shown by test/gone.test.ts',
      'scripts/a:2: test/gone.test.ts is not there',
    ],
    ['a decision', 'src/a.ts', '/**\n * ADR 1 and 7\n */', 'src/a.ts:2: ADR 7 is not there'],
    ['a decision by its file', 'docs/A.md', 'docs/adr/0007', 'docs/A.md:1: docs/adr/0007 is not there'],
    ['a heading', 'src/a.ts', '// docs/FACTS.md "Log"', 'src/a.ts:1: docs/FACTS.md "Log": no such heading'],
    ['a section', 'src/a.ts', '// docs/FACTS.md section 2', 'src/a.ts:1: docs/FACTS.md section 2: no such heading'],
    ['a heading of a decision', 'src/a.ts', '// ADR 1, "Redo"', 'src/a.ts:1: ADR 1, "Redo": no such heading'],
    ['a link', 'docs/A.md', '[there](B.md)', 'docs/A.md:1: the link B.md leads nowhere'],
    ['a place in a page', 'docs/A.md', '[there](FACTS.md#gone)', 'docs/A.md:1: the link FACTS.md#gone leads nowhere'],
  ])('%s', async (_, file, text, said) => {
    expect(await citing(file, text)).toContain(said);
  });
});

test('what is there passes: paths, headings over two lines, numbers of decisions, links', async () => {
  const source = [
    '/**',
    ' * As docs/FACTS.md "A killed',
    ' * exec" and docs/FACTS.md section 1 say; ADR 1, "Undo"; docs/adr/0001, "Undo"; src/lock.ts; docs/adr.',
    ' */',
    "const notAComment = 'src/of-somebody-else.ts';",
  ];
  expect(await citing('src/a.ts', source.join('\n'))).toEqual([]);
  expect(await citing('docs/A.md', '[logins](FACTS.md#1-logins), [all](../docs/FACTS.md), https://x.test/docs/y.md')).toEqual([]);
});

test('the command ends with 1 and prints what it found', async () => {
  await using folder = await temporaryFolder();
  await writeFile(folder.file('a.md'), 'docs/GONE.md');
  const ran = await execa('node', [path.join(root, 'scripts/citations.ts'), folder.path], { reject: false });
  expect([ran.exitCode, ran.stderr]).toEqual([1, 'a.md:1: docs/GONE.md is not there']);
});
