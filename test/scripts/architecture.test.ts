// docs/ARCHITECTURE.md has a row for every room, and says who may import whom as .dependency-cruiser.cjs does.
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { expect, test } from 'vitest';

const root = path.join(import.meta.dirname, '../..');
const page = readFileSync(path.join(root, 'docs/ARCHITECTURE.md'), 'utf8');
const words = (text: string): string[] => [...text.matchAll(/`([^`]+)`/g)].map(([, word = '']) => word);
const rows = page
  .split('\n')
  .filter((line) => line.startsWith('| '))
  .map((line) => line.split(' | ').map((cell) => cell.trim()));

test.each([
  'src',
  'src/vm',
  'src/vm/plan',
  'src/vm/transaction',
  'src/kubernetes',
  'src/data/postgres',
  'src/policy',
  'src/push',
])('every folder of %s has its row', (folder) => {
  const rooms = readdirSync(path.join(root, folder), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const listed = rows.flatMap(([first = '']) => (first.startsWith('| `') ? words(first) : []));
  expect(listed).toEqual(expect.arrayContaining(rooms.map(({ name }) => `${folder}/${name}/`)));
});

type Rule = { from: { path: string }; to: { pathNot?: string | string[] } };

test('who may import whom', () => {
  const { forbidden } = createRequire(import.meta.url)('../../.dependency-cruiser.cjs') as { forbidden: Rule[] };
  const room = (pattern: string): string | undefined => /^\^src\/([a-z]+)\/$/.exec(pattern)?.[1];
  const enforced = forbidden.flatMap(({ from, to }) => {
    const name = room(from.path);
    const others = [to.pathNot ?? []]
      .flat()
      .flatMap((pattern) => room(pattern) ?? [])
      .filter((one) => one !== name);
    return name === undefined ? [] : [[name, others.toSorted()] as const];
  });
  expect(enforced.length).toBeGreaterThan(8);
  const section = page.slice(page.indexOf('### Who may import whom'), page.indexOf('## The flow of a bundle'));
  const said = section
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.split(' | '))
    .flatMap(([rooms = '', may = '']) => words(rooms).map((name) => [name, words(may).toSorted()] as const));
  expect(Object.fromEntries(said)).toMatchObject(Object.fromEntries(enforced));
});
