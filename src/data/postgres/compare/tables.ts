import type { PostgresServer } from '../swap/admin.ts';
import { readOnly } from './read-only.ts';

/** A table with rows of its own: an ordinary table, or a leaf of a partitioned table. Names are quoted as in SQL. */
export type Table = {
  /** `public.notes`, `public."Große Liste"` */
  name: string;
  /** Column -> type (format_type), by name. */
  columns: Map<string, string>;
  /** Columns of the primary key, in its order. */
  key: string[] | null;
  /** Bytes of the rows, without values that are stored out of line. */
  bytes: number;
};

/** How a table is read in two databases: over the columns that both have. Without a common key its rows are only counted. */
export type Reading = { name: string; columns: string[]; key: string[] | null };

/** The tables of a database, sorted by schema and name. @throws STEP_FAILED, INTERRUPTED */
export async function tablesOf(target: PostgresServer): Promise<Table[]> {
  const stdout = await readOnly(target, [query]);
  const lines = stdout.split('\n').filter((line) => line !== '');
  return lines.map((line) => {
    const { name, columns, key, bytes } = JSON.parse(line) as Omit<Table, 'columns'> & { columns: [string, string][] };
    return { name, columns: new Map(columns), key, bytes };
  });
}

/** The tables that both databases have. A key is used when both have the same key, with columns of the same types. */
export function readings(older: readonly Table[], newer: readonly Table[]): Reading[] {
  return older.flatMap(({ name, columns, key }) => {
    const other = newer.find((table) => table.name === name);
    if (!other) return [];
    const common = [...columns].filter(([column, type]) => other.columns.get(column) === type).map(([column]) => column);
    const usable = key !== null && String(key) === String(other.key) && key.every((column) => common.includes(column));
    return [{ name, columns: common, key: usable ? key : null }];
  });
}

/** One line of JSON for each table. With an empty search_path format_type names the schema of every type that is not built in. */
const query = `SELECT jsonb_build_object(
  'name', format('%I.%I', n.nspname, c.relname),
  'bytes', pg_relation_size(c.oid),
  'columns', (SELECT coalesce(jsonb_agg(jsonb_build_array(quote_ident(attname), format_type(atttypid, atttypmod)) ORDER BY attname), '[]')
    FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped),
  'key', (SELECT jsonb_agg(quote_ident(a.attname) ORDER BY k.i)
    FROM pg_index x CROSS JOIN unnest(x.indkey) WITH ORDINALITY k(attnum, i)
    JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.attnum
    WHERE x.indrelid = c.oid AND x.indisprimary AND k.i <= x.indnkeyatts))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY n.nspname, c.relname;`;
