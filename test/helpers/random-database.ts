import * as fc from 'fast-check';

/** A database as SQL, and what may be changed in it, each by one statement: after it no fingerprint may be the same. */
export type RandomDatabase = { sql: string; changes: Change[] };
export type Change = { what: string; sql: string };

const ident = (name: string) => `"${name.replaceAll('"', '""')}"`;
const text = (value: string) => `E'${value.replaceAll('\\', '\\\\').replaceAll("'", "''").replaceAll('\n', '\\n')}'`;

const odd = [
  't',
  'T',
  'Größe',
  'mit leer',
  'q"uote',
  "a'b",
  'select',
  'back\\slash',
  'a.b',
  'new\nline',
  '日本語',
  'x$y',
  '__proto__',
];
const name = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.constantFrom(...odd, '%I', ':colon', '$$', 'oid', 'constructor', '\u2028', 'ctid_', 'ı', "''", '(ARRAY['),
  },
  { weight: 1, arbitrary: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 6 }).filter((one) => !/\0/.test(one)) },
);
const names = (count: number) => fc.uniqueArray(name, { minLength: count, maxLength: count });

const printable = fc.string({ unit: 'grapheme', maxLength: 12 }).map((value) => value.replaceAll('\0', ''));
const json = fc.json({ maxDepth: 2 }).filter((value) => !/\\u0000|\\ud[89a-f]/i.test(value));
const float = fc
  .oneof(fc.double(), fc.constantFrom(-0, 0.1 + 0.2))
  .map((value) => (Object.is(value, -0) ? "'-0'" : `'${value}'`));
const hex = fc.uint8Array({ maxLength: 20 }).map((bytes) => String.raw`'\x${Buffer.from(bytes).toString('hex')}'`);
const day = fc
  .date({ min: new Date('0001-01-01'), max: new Date('9999-12-31'), noInvalidDate: true })
  .map((date) => date.toISOString());

/** SQL of values; the type is added to each. */
const types: Record<string, fc.Arbitrary<string>> = {
  int: fc.integer({ min: -9, max: 9 }).map(String),
  bigint: fc.bigInt({ min: -(2n ** 63n) + 1n, max: 2n ** 63n - 1n }).map(String),
  'numeric(20,3)': fc.integer().map((value) => `${value}.5`),
  numeric: fc.constantFrom('1', '1.0', '1.00', "'NaN'", '-0.000001', '1e30'),
  float8: float,
  float4: fc.float({ noNaN: true }).map((value) => `'${value}'`),
  boolean: fc.boolean().map(String),
  text: printable.map(text),
  'varchar(20)': printable.map((value) => text(Array.from(value).slice(0, 20).join(''))),
  'char(5)': fc.string({ maxLength: 5 }).map(text),
  bytea: hex,
  date: day.map((one) => `'${one.slice(0, 10)}'`),
  timestamptz: day.map((one) => `'${one}'`),
  interval: fc
    .tuple(fc.integer({ min: -99, max: 99 }), fc.integer({ min: -99, max: 99 }))
    .map(([a, b]) => `'${a} mon ${b} days ${b}.5 s'`),
  json: json.map(text),
  jsonb: json.map(text),
  uuid: fc.uuid().map(text),
  'int[]': fc
    .array(fc.option(fc.integer({ min: 0, max: 9 })), { maxLength: 3 })
    .map((all) => `'{${all.map((one) => one ?? 'NULL').join(',')}}'`),
  'text[]': fc.array(printable, { minLength: 1, maxLength: 3 }).map((all) => `ARRAY[${all.map(text).join(',')}]`),
  point: fc.tuple(fc.integer(), fc.float({ noNaN: true })).map(([a, b]) => `'(${a},${b})'`),
  int4range: fc.tuple(fc.integer({ max: 0 }), fc.integer({ min: 1, max: 2 ** 31 - 2 })).map(([a, b]) => `'[${a},${b})'`),
  inet: fc.ipV4().map(text),
  '"Zwei".mood': fc.constantFrom("'gut'", "'schlecht'", "'ü'"),
  '"Zwei".short': printable.map((value) => text(Array.from(value).slice(0, 9).join(''))),
  '"Zwei".pair': fc.tuple(fc.integer(), printable).map(([a, b]) => `ROW(${a}, ${text(b)})`),
  regclass: fc.constantFrom("'pg_class'", "'pg_catalog.pg_type'"),
  money: fc.integer().map((value) => `'${value / 100}'`),
  'bit varying': fc.string({ unit: fc.constantFrom('0', '1'), maxLength: 8 }).map((bits) => `B'${bits}'`),
};

type Column = { name: string; type: string; values: (string | null)[]; notNull: boolean; other: string };
const column = fc.constantFrom(...Object.keys(types)).chain((type) => {
  const value = (types[type] ?? fc.constant('NULL')).map((one) => `${one}::${type}`);
  return fc.record({
    type: fc.constant(type),
    values: fc.array(fc.option(value, { freq: 4 }), { minLength: 4, maxLength: 4 }),
    notNull: fc.boolean(),
    other: value,
  });
});

/** What is printed otherwise than it was written, and some of it otherwise than it was printed before. */
const leaves = [
  "s IN ('a', 'it''s')",
  "s NOT IN ('b', 'c')",
  "s IN ('a', s || 'b', t)",
  's IN (t, s)',
  "s IN ('a')",
  "lower(s) IN ('a', 'b')",
  "'a' IN (s, t)",
  "(s, t) IN (('a', 'b'), ('c', t))",
  "s = ANY ('{a,b}')",
  "s = ANY (ARRAY['a', t])",
  "s <> ALL (ARRAY['a', 'b']::varchar[])",
  "ARRAY[s, t]::text[] = ARRAY['a', 'b']",
  "ARRAY[[s], [t]]::text[] && ARRAY['a'::text]",
  "(ARRAY[s, 'b'])[1] = t",
  "coalesce(s, t) ILIKE ANY (ARRAY['a', 'b'])",
  "s LIKE 'x%'",
  "s SIMILAR TO 'a%'",
  's IS NOT NULL',
  's IS DISTINCT FROM t',
  'ROW(s, n) IS NULL',
  "NULLIF(s, 'a') = t",
  's COLLATE "C" < t',
  "s::char(3) = 'a'",
  "s || t || 'x' = 'y'",
  "CAST(n AS varchar(3)) IN ('1', '2')",
  "substring(s from 1 for 2) = trim(both 'x' from t)",
  "position('a' in s) = n",
  "s BETWEEN 'a' AND 'b'",
  "(CASE s WHEN 'a' THEN n WHEN t THEN -2 END) = 1",
  "CASE WHEN n BETWEEN 1 AND 2 AND s = 'a' THEN true ELSE n = - 1::smallint END",
  'n BETWEEN 1 AND 5',
  'n NOT BETWEEN 2 AND -3',
  'n BETWEEN SYMMETRIC 5 AND 1',
  '(s, n) = (t, 3)',
  '(s, n) < (t, 1)',
  'n IN (1, 2, -3)',
  'n IN (1, n, 2.5)',
  'n = ANY (ARRAY[1, 2]::bigint[])',
  'n IS DISTINCT FROM -1',
  'n = -1::int',
  'n = -(1)',
  'n = - -1',
  'n = -n',
  'n > -1.5::float8',
  'n > -0.5::numeric',
  'n < 10000000000',
  'n > -2147483648',
  'n > -9223372036854775808',
  'n = 1e3',
  'n::numeric(5, 2) = -1.25::numeric(5, 2)',
  'GREATEST(n, -1) % 2 = 0',
  '(n > 1) IS NOT TRUE',
  '(n IS NULL) = (s IS NULL)',
  "date '2020-01-01' + n > date '2020-02-01'",
  "extract(year from timestamptz '2020-01-01 00:00+00' AT TIME ZONE 'UTC') = n",
  "interval '1' month * n > interval '-1 day' - '00:00:01'",
  'jsonb \'{"a": 1}\' ? s',
  "repeat(s, n) ~ '^\\\\w+$'",
];

/** Conditions over two texts `s` and `t` and a number `n`. */
export const { condition } = fc.letrec<{ condition: string }>((tie) => {
  const pair = fc.tuple(tie('condition'), fc.constantFrom('AND', 'OR'), tie('condition'));
  return {
    condition: fc.oneof(
      { maxDepth: 3 },
      { weight: 3, arbitrary: fc.constantFrom(...leaves) },
      pair.map(([a, operator, b]) => `(${a}) ${operator} (${b})`),
      pair.map(([a, operator, b]) => `${a} ${operator} ${b}`),
      tie('condition').map((one) => `NOT (${one})`),
    ),
  };
});

const table = fc.record({
  schema: fc.constantFrom('public', 'Zwei'),
  columns: fc
    .integer({ min: 1, max: 6 })
    .chain((count) => fc.tuple(names(count), fc.array(column, { minLength: count, maxLength: count }))),
  kind: fc.constantFrom('plain', 'identity', 'identity', 'partitioned', 'hash', 'inherited', 'unlogged'),
  rows: fc.integer({ min: 1, max: 4 }),
  conditions: fc.tuple(condition, condition, condition),
  secured: fc.boolean(),
  references: fc.boolean(),
  dropped: fc.boolean(),
  grants: fc.shuffledSubarray([
    'GRANT SELECT ON # TO reader',
    'GRANT INSERT, UPDATE ON # TO reader WITH GRANT OPTION',
    'GRANT SELECT ON # TO PUBLIC',
    'REVOKE DELETE ON # FROM app',
    'GRANT TRIGGER ON # TO "Other Owner"',
    'REVOKE SELECT ON # FROM reader',
    'ALTER TABLE # OWNER TO "Other Owner"',
    "COMMENT ON TABLE # IS 'it''s'",
  ]),
});

export const randomDatabase: fc.Arbitrary<RandomDatabase> = fc
  .tuple(fc.uniqueArray(table, { minLength: 1, maxLength: 4 }), names(4), hex, fc.boolean())
  .map(([tables, tableNames, object, ownDefaults]) => {
    const sql = [
      'SET client_min_messages = warning; SET check_function_bodies = off;',
      'CREATE SCHEMA "Zwei"; GRANT USAGE ON SCHEMA "Zwei" TO reader;',
      `CREATE TYPE "Zwei".mood AS ENUM ('gut', 'schlecht'); ALTER TYPE "Zwei".mood ADD VALUE 'ü' BEFORE 'gut';`,
      `CREATE DOMAIN "Zwei".short AS varchar(9) CHECK (VALUE IN ('a', 'b') OR length(VALUE) < 10);`,
      'CREATE TYPE "Zwei".pair AS (a int, "B b" text);',
      `CREATE FUNCTION public.noted() RETURNS trigger LANGUAGE plpgsql AS $_$BEGIN RETURN NEW; END$_$;`,
      ...(ownDefaults ? ['ALTER DEFAULT PRIVILEGES IN SCHEMA "Zwei" GRANT SELECT ON SEQUENCES TO reader;'] : []),
      `SELECT lo_from_bytea(7, ${object}), lo_create(8); GRANT SELECT ON LARGE OBJECT 7 TO reader;`,
    ];
    const changes: Change[] = [
      { what: 'a byte of a large object', sql: `SELECT lo_put(7, length(lo_get(7)), '\\x00')` },
      { what: 'a large object that is gone', sql: 'SELECT lo_unlink(8)' },
      { what: 'a large object with other rights', sql: 'REVOKE SELECT ON LARGE OBJECT 7 FROM reader' },
      { what: 'a label of an enum', sql: `ALTER TYPE "Zwei".mood ADD VALUE 'neu'` },
      {
        what: 'the body of a function',
        sql: `CREATE OR REPLACE FUNCTION public.noted() RETURNS trigger LANGUAGE plpgsql AS $_$BEGIN RETURN OLD; END$_$`,
      },
      { what: 'a grant on a schema', sql: 'REVOKE USAGE ON SCHEMA "Zwei" FROM reader' },
    ];
    let referenced: string | undefined;
    tables.forEach((one, index) => {
      const full = `${ident(one.schema)}.${ident(tableNames[index] ?? '')}`;
      const columns: Column[] = one.columns[1].map((of, at) => ({ ...of, name: one.columns[0][at] ?? '' }));
      const made = tableOf(one, full, index, columns, referenced);
      sql.push(...made.sql);
      changes.push(...made.changes);
      if (one.kind === 'identity') referenced = full;
    });
    return { sql: sql.join('\n'), changes };
  });

type Table = typeof table extends fc.Arbitrary<infer T> ? T : never;

function tableOf(
  one: Table,
  full: string,
  index: number,
  columns: Column[],
  referenced?: string,
): { sql: string[]; changes: Change[] } {
  const [check, predicate, seen] = one.conditions;
  const identity = one.kind === 'identity';
  const own = (suffix: string) => `${ident(one.schema)}.${ident(`${suffix} ${index}`)}`;
  // Names of their own, that no random one has: conditions speak of them.
  const fixed = ['s varchar', 't varchar(5)', 'n int DEFAULT -1', `CHECK ((${check}) OR true)`];
  const body = [
    ...(identity ? ['"ID " bigint GENERATED ALWAYS AS IDENTITY (INCREMENT 7) PRIMARY KEY'] : []),
    ...(one.dropped ? ['"dropped " text'] : []),
    ...columns.map((of) => `${ident(`${of.name}·`)} ${of.type}${of.notNull ? ` NOT NULL DEFAULT ${of.other}` : ''}`),
    ...(one.references && referenced !== undefined ? [`"ref " bigint REFERENCES ${referenced} ON DELETE CASCADE`] : []),
    ...fixed,
    ...(one.kind === 'plain' ? ['"gen " int GENERATED ALWAYS AS (n * 2) STORED'] : []),
  ];
  const partitioned =
    one.kind === 'partitioned' ? ' PARTITION BY RANGE (n)' : one.kind === 'hash' ? ' PARTITION BY HASH ("mood ")' : '';
  if (one.kind === 'hash') body.push('"mood " "Zwei".mood');
  const sql = [`CREATE ${one.kind === 'unlogged' ? 'UNLOGGED ' : ''}TABLE ${full} (${body.join(', ')})${partitioned};`];
  if (one.kind === 'partitioned') {
    sql.push(
      `CREATE TABLE ${own('low')} PARTITION OF ${full} FOR VALUES FROM (MINVALUE) TO (3); CREATE TABLE ${own('rest')} PARTITION OF ${full} DEFAULT;`,
    );
  }
  if (one.kind === 'hash') {
    for (const rest of [0, 1, 2])
      sql.push(`CREATE TABLE ${own(`h${rest}`)} PARTITION OF ${full} FOR VALUES WITH (MODULUS 3, REMAINDER ${rest});`);
  }
  if (one.kind === 'inherited') {
    sql.push(
      `CREATE TABLE ${own('child')} ("own " text) INHERITS (${full}); ALTER TABLE ${full} ADD COLUMN "late " int DEFAULT 3;`,
    );
    sql.push(`INSERT INTO ${own('child')} (s, "own ") VALUES ('c', 'd');`);
  }
  if (one.dropped) sql.push(`ALTER TABLE ${full} DROP COLUMN "dropped ";`);
  const into = [...columns.map((of) => ident(`${of.name}·`)), 's', 't', 'n', ...(one.kind === 'hash' ? ['"mood "'] : [])].join(
    ', ',
  );
  for (let row = 0; row < one.rows; row++) {
    const values = columns.map((of) => of.values[row] ?? (of.notNull ? of.other : 'NULL'));
    const mood = one.kind === 'hash' ? [["'gut'", "'schlecht'", "'ü'"][row % 3] ?? ''] : [];
    sql.push(`INSERT INTO ${full} (${into}) VALUES (${[...values, `'s${row}'`, "'t'", row * 2, ...mood].join(', ')});`);
  }
  sql.push(
    `CREATE INDEX ${ident(`index ${index}`)} ON ${full} (lower(s), n DESC) WHERE ${predicate};`,
    `CREATE VIEW ${own('view')} AS SELECT s, n, ${seen} AS seen FROM ${full} WHERE ${predicate};`,
    `CREATE MATERIALIZED VIEW ${own('material')} AS SELECT count(*) FROM ${full};`,
    `CREATE TRIGGER "trig ger" AFTER UPDATE ON ${full} FOR EACH ROW WHEN (NEW.n > 0 AND NEW.s IN ('a', 'b')) EXECUTE FUNCTION public.noted('x');`,
    ...(one.secured
      ? [
          `ALTER TABLE ${full} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;`,
          `CREATE POLICY po ON ${full} USING (${predicate}) WITH CHECK (${seen});`,
        ]
      : []),
    ...one.grants.map((grant) => `${grant.replace('#', () => full)};`),
  );
  const changes = columns.map(({ name: of, type, other }) => ({
    what: `a value of type ${type}`,
    sql: `UPDATE ${full} x SET ${ident(`${of}·`)} = ${other} WHERE (tableoid, ctid) = (
      SELECT tableoid, ctid FROM ${full} y WHERE y.${ident(`${of}·`)}::text IS DISTINCT FROM (${other})::text LIMIT 1)`,
  }));
  return {
    sql,
    changes: [
      ...changes,
      {
        what: 'a value that is another kind of nothing',
        sql: `UPDATE ${full} SET t = NULLIF('', t) WHERE (tableoid, ctid) = (SELECT tableoid, ctid FROM ${full} WHERE t = 't' LIMIT 1)`,
      },
      {
        what: 'a row that is gone',
        sql: `DELETE FROM ${full} WHERE (tableoid, ctid) = (SELECT tableoid, ctid FROM ${full} LIMIT 1)`,
      },
      { what: 'a row more', sql: `INSERT INTO ${full} (${into}) SELECT ${into} FROM ${full} LIMIT 1` },
      { what: 'a grant', sql: `GRANT REFERENCES ON ${full} TO reader` },
      { what: 'a grant on a column', sql: `GRANT UPDATE (n) ON ${full} TO reader` },
      { what: 'a column with another default', sql: `ALTER TABLE ${full} ALTER n SET DEFAULT -2` },
      { what: 'a check that is gone', sql: `ALTER TABLE ${full} ADD CHECK (n > -100)` },
      { what: 'an index that is gone', sql: `DROP INDEX ${own('index')}` },
      { what: 'another view', sql: `CREATE OR REPLACE VIEW ${own('view')} AS SELECT s, n, true AS seen FROM ${full}` },
      { what: 'a trigger that is off', sql: `ALTER TABLE ${full} DISABLE TRIGGER "trig ger"` },
      { what: 'row security', sql: `ALTER TABLE ${full} ${one.secured ? 'NO FORCE' : 'ENABLE'} ROW LEVEL SECURITY` },
      { what: 'an owner', sql: `ALTER VIEW ${own('view')} OWNER TO reader` },
      { what: 'a comment', sql: `COMMENT ON COLUMN ${full}.n IS 'n'` },
      ...(identity ? [{ what: 'a sequence', sql: `SELECT nextval(pg_get_serial_sequence(${text(full)}, 'ID '))` }] : []),
    ],
  };
}
