import { expect, test } from 'vitest';
import { shapeChanges, type Shape } from '../../../../src/data/postgres/migration/shape.ts';

const shape = (tables: Record<string, [columns: Record<string, string>, rows: number]>): Shape =>
  new Map(Object.entries(tables).map(([name, [columns, rows]]) => [name, { columns: new Map(Object.entries(columns)), rows }]));

test('what a migration changed: tables, columns, types, rows', () => {
  const before = shape({
    notes: [{ id: 'bigint', legacy_body: 'text', title: 'text' }, 2000],
    members: [{ id: 'bigint', quota: 'integer' }, 10],
    old: [{ id: 'bigint' }, 1],
  });
  const after = shape({
    notes: [{ id: 'bigint', title: 'text', pinned: 'boolean' }, 1998],
    members: [{ id: 'bigint', quota: 'bigint' }, 10],
    tags: [{ id: 'bigint' }, 3],
  });
  expect(shapeChanges(before, after)).toEqual([
    '~ members.quota integer -> bigint',
    '- notes.legacy_body',
    '+ notes.pinned boolean',
    '~ notes: 2000 -> 1998 rows',
    '- table old (1 row)',
    '+ table tags (3 rows)',
  ]);
  expect(shapeChanges(before, before)).toEqual([]);
});
