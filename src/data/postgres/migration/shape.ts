import { ask, type DatabaseTarget } from '../server/server.ts';

/** Tables of a database with their columns and numbers of rows; a report compares two of them to describe a migration. */
export type Shape = Map<string, { columns: Map<string, string>; rows: number }>;

/** Reads the tables. Names are quoted as in SQL, without `public`. Each partition is a table of its own. */
export async function shapeOf(database: DatabaseTarget): Promise<Shape> {
  const shape: Shape = new Map();
  for (const line of await ask(database, query, {}, 'STEP_FAILED')) {
    const [name, columns, rows] = JSON.parse(line) as [string, [string, string][] | null, number | null];
    const table = shape.get(name) ?? { columns: new Map<string, string>(), rows: 0 };
    if (columns) table.columns = new Map(columns);
    shape.set(name, { ...table, rows: rows ?? table.rows });
  }
  return shape;
}

const tables = `FROM pg_class c WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
  AND c.relnamespace::regnamespace::text !~ '^(pg_|information_schema$)'`;

const query = String.raw`
SET search_path TO public;
SELECT json_build_array(c.oid::regclass, (
  SELECT json_agg(json_build_array(attname, format_type(atttypid, atttypmod)) ORDER BY attnum)
  FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped), NULL) ${tables};
SELECT format('SELECT json_build_array(%L, NULL, count(*)) FROM ONLY %s', c.oid::regclass, c.oid::regclass) ${tables} AND c.relkind = 'r'
\gexec
`;

/** What changed in tables, columns and numbers of rows, a line each; empty when nothing changed. */
export function shapeChanges(before: Shape, after: Shape): string[] {
  const changes: string[] = [];
  for (const [name, { columns, rows }] of after) {
    const old = before.get(name);
    if (!old) {
      changes.push(`+ table ${name} (${count(rows)})`);
      continue;
    }
    changes.push(...columnChanges(name, old.columns, columns));
    if (old.rows !== rows) changes.push(`~ ${name}: ${old.rows} -> ${count(rows)}`);
  }
  for (const [name, { rows }] of before) if (!after.has(name)) changes.push(`- table ${name} (${count(rows)})`);
  return changes.toSorted((a, b) => (a.slice(2) < b.slice(2) ? -1 : 1));
}

function columnChanges(table: string, before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): string[] {
  const changes: string[] = [];
  for (const [column, type] of after) {
    const old = before.get(column);
    if (old === undefined) changes.push(`+ ${table}.${column} ${type}`);
    else if (old !== type) changes.push(`~ ${table}.${column} ${old} -> ${type}`);
  }
  for (const column of before.keys()) if (!after.has(column)) changes.push(`- ${table}.${column}`);
  return changes;
}

function count(rows: number): string {
  return `${rows} ${rows === 1 ? 'row' : 'rows'}`;
}
