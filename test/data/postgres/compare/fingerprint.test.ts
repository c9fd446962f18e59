import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { describe, expect, test } from 'vitest';
import { compareFingerprints } from '../../../../src/data/postgres/compare/compare-fingerprints.ts';
import { asReadAgain } from '../../../../src/data/postgres/compare/deparsed.ts';
import { type Fingerprint, fingerprint } from '../../../../src/data/postgres/compare/fingerprint.ts';
import { JsonLines } from '../../../../src/data/postgres/server/json-lines.ts';

const base: Fingerprint = {
  schema: 'airdock.fingerprint/1',
  tables: { 'public.notes': { rows: 1204, content: '-7 12' }, 'public.bills': { rows: 2, content: '1 1', generated: '2 2' } },
  sequences: { 'public.notes_id_seq': { value: '1204', called: true } },
  largeObjects: { count: 2, content: '5 5', rights: '6 6' },
  objects: {
    index: { 'public.notes_slug': 'aa' },
    owner: { 'table public.notes': 'app' },
    extension: { hstore: '1.8 in public' },
    'grants on': { 'table public.notes': 'bb' },
  },
  invalidIndexes: [],
};
const compare = (after: Partial<Fingerprint>, before: Partial<Fingerprint> = {}) =>
  compareFingerprints({ ...base, ...before }, { ...base, ...after });

describe('a comparison', () => {
  test('of equals is empty', () => expect(compare({})).toEqual([]));

  test.each<[string, Partial<Fingerprint>, string[]]>([
    [
      'rows',
      { tables: { ...base.tables, 'public.notes': { rows: 1203, content: '0 0' } } },
      ['public.notes: 1204 rows, 1203 after the restore'],
    ],
    [
      'content',
      { tables: { ...base.tables, 'public.notes': { rows: 1204, content: '-7 13' } } },
      ['public.notes: 1204 rows, their content differs after the restore'],
    ],
    [
      'generated columns',
      { tables: { ...base.tables, 'public.bills': { rows: 2, content: '1 1', generated: '2 3' } } },
      ['public.bills: generated columns hold other values after the restore, which computes them anew by their expressions'],
    ],
    [
      'tables',
      { tables: { 'public.notes': { rows: 1204, content: '-7 12' }, 'public.new': { rows: 0, content: '0 0' } } },
      ['public.bills: missing after the restore', 'public.new: exists only after the restore'],
    ],
    [
      'a sequence',
      { sequences: { 'public.notes_id_seq': { value: '1203', called: true } } },
      ['sequence public.notes_id_seq: at 1204, at 1203 after the restore'],
    ],
    [
      'whether a sequence was called',
      { sequences: { 'public.notes_id_seq': { value: '1204', called: false } } },
      ['sequence public.notes_id_seq: at 1204, before 1204 after the restore'],
    ],
    ['a sequence that is gone', { sequences: {} }, ['sequence public.notes_id_seq: missing after the restore']],
    [
      'large objects',
      { largeObjects: { ...base.largeObjects, count: 1, content: '9 9' } },
      ['large objects: 2, 1 after the restore'],
    ],
    [
      'their content and rights',
      { largeObjects: { count: 2, content: '9 9', rights: '9 9' } },
      [
        'large objects: 2, their content differs after the restore',
        'large objects: 2, owners, grants or comments differ after the restore',
      ],
    ],
    [
      'objects',
      {
        objects: {
          owner: { 'table public.notes': 'postgres' },
          extension: { hstore: '1.9 in public' },
          'grants on': { 'table public.notes': 'cc' },
          view: { 'public.v': 'dd' },
        },
      },
      [
        'extension hstore: 1.8 in public, 1.9 in public after the restore',
        'grants on table public.notes: differs after the restore',
        'index public.notes_slug: missing after the restore',
        'owner of table public.notes: app, postgres after the restore',
        'view public.v: exists only after the restore',
      ],
    ],
    ['an invalid index', { invalidIndexes: ['public.notes_slug'] }, ['index public.notes_slug: invalid after the restore']],
  ])('tells of %s', (_, after, lines) => expect(compare(after)).toEqual(lines));

  test('accepts that a dump leaves out invalid indexes', () => {
    expect(compare({}, { invalidIndexes: ['public.broken'] })).toEqual([]);
  });

  test('knows names that every object has', () => {
    expect(compare({ objects: { ...base.objects, index: { ...base.objects['index'], constructor: 'x' } } })).toEqual([
      'index constructor: exists only after the restore',
    ]);
  });

  test('survives JSON', () => {
    expect(compareFingerprints(base, fingerprint.parse(JSON.parse(JSON.stringify(base))))).toEqual([]);
  });
});

/** Each pair was printed by PostgreSQL 15, before and after a dump and restore. */
describe('SQL as the server prints it after parsing it again', () => {
  test.each([
    [
      `((s)::text = ANY ((ARRAY['a'::character varying, 'it''s [c], ('::character varying])::text[]))`,
      `((s)::text = ANY (ARRAY[('a'::character varying)::text, ('it''s [c], ('::character varying)::text]))`,
    ],
    [
      `((a)::text = ANY ((ARRAY[b, ("C")::character varying(3)])::text[]))`,
      `((a)::text = ANY (ARRAY[(b)::text, (("C")::character varying(3))::text]))`,
    ],
    ['(((a >= 1) AND (a <= 2)) AND b)', '((a >= 1) AND (a <= 2) AND b)'],
    ['((((a = 1) OR (a = b)) OR (a = c)) OR d)', '((a = 1) OR (a = b) OR (a = c) OR d)'],
    ["(EXISTS ( SELECT 'x'::text FROM t))", "(EXISTS ( SELECT 'x'::text FROM t))"],
    [
      "( SELECT NULL::character varying(3) AS varchar, '-1'::integer AS int4)",
      "( SELECT NULL::character varying(3), '-1'::integer)",
    ],
    ['((- 1))::bigint', "('-1'::integer)::bigint"],
    ['(a > (- 0.5))', "(a > '-0.5'::numeric)"],
    ["(ARRAY[ARRAY['a'::character varying]])::text[]", "ARRAY[ARRAY[('a'::character varying)::text]]"],
  ])('%s', (before, after) => {
    expect(asReadAgain(before)).toBe(after);
    expect(asReadAgain(after)).toBe(after);
  });

  test.each([
    '(((a OR b)) AND c)',
    '(a AND (b AND c))',
    '(- a)',
    "( SELECT 'x'::text AS name, now() AS now)",
    "(- '1'::bigint)",
    '(1 - 1)',
    '((a OR b) AND c)',
    '(ARRAY[1, 2])[1]',
    `'(ARRAY[''a''::character varying])::text[]'`,
    `"((a AND b) AND c)"`,
    'AS $function$ SELECT ((a AND b) AND c) $function$',
    '(a, (b AND c)) AND d',
    'sum(x) OVER (ORDER BY (y) ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)',
    '(unbalanced ["',
    ')(]',
  ])('%s stays', (sql) => expect(asReadAgain(sql)).toBe(sql));
});

test('JSON lines may arrive in any pieces, and only newlines separate them', async () => {
  const rows: unknown[] = [];
  const read = (text: string) =>
    pipeline(Readable.from([...Buffer.from(text)].map((byte) => Buffer.of(byte))), new JsonLines((row) => rows.push(row)));
  await read('["ä\u2028ö"]\n\n{"a":1}\n');
  expect(rows).toEqual([['ä\u2028ö'], { a: 1 }]);
  await expect(read('no json\n')).rejects.toMatchObject({ code: 'BACKUP_FAILED' });
});
