/**
 * Settings of a session that takes a fingerprint, like those of pg_dump: the text of a value must not depend on a setting of
 * the role, the database or the server, names come with their schema, and no timeout ends the session.
 * `row_security=off` makes a query fail that would otherwise miss rows. An index-only scan would read what an index holds
 * instead of the table.
 */
export const sessionSettings = String.raw`
SET client_encoding = 'UTF8';
SET client_min_messages = warning;
SET standard_conforming_strings = on;
SET search_path = '';
SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET row_security = off;
SET DateStyle = 'ISO, YMD';
SET IntervalStyle = 'postgres';
SET TimeZone = 'UTC';
SET extra_float_digits = 3;
SET bytea_output = 'hex';
SET lc_monetary = 'C';
SET quote_all_identifiers = off;
SET enable_indexonlyscan = off;
SET jit = off;
SELECT count(set_config(name, '0', false)) AS of_postgresql_17 FROM pg_settings WHERE name = 'transaction_timeout' \gset
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
`;

/** An SQL condition: the row of the catalog does not belong to an extension. `row` is an alias with a column oid. */
function notOfExtension(catalog: string, row: string): string {
  return `NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = '${catalog}'::regclass AND e.objid = ${row}.oid AND e.deptype = 'e')`;
}

/**
 * An SQL condition: the object is not in a system schema and does not belong to an extension, so pg_dump dumps it as an object
 * of its own. @param namespace the column with the object's schema; without one: initdb did not make the object
 */
export function isUserObject(catalog: string, row: string, namespace?: string): string {
  const schema = `(SELECT nspname FROM pg_namespace s WHERE s.oid = ${row}.${namespace})`;
  const notOfSystem =
    namespace === undefined ? `${row}.oid >= 16384` : `(${schema} !~ '^pg_' AND ${schema} <> 'information_schema')`;
  return `(${notOfSystem} AND ${notOfExtension(catalog, row)})`;
}

/** An SQL expression: an array of texts, sorted independently of history and collation. NULL becomes an empty array. */
export function sorted(array: string): string {
  return `ARRAY(SELECT item COLLATE "C" FROM unnest(${array}) item ORDER BY 1)`;
}
