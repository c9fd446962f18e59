import { isUserObject } from '../server/session.ts';

/**
 * Statements for `psql` that read the rows of every table, the position of every sequence, and large objects. They print JSON lines
 * `["rows", table, rows, xor, sum, xor of generated, sum of generated]`, `["sequence", name, value, called]`,
 * `["objects", count, xor, sum, xor of rights, sum of rights]`.
 *
 * A row is hashed as text, with its columns sorted by name, because a restore changes the order of columns in a child table.
 * `t::text` is not used: in a table with a column `t` it means that column (docs/FACTS.md "Fingerprints"). `COLLATE "C"` is needed
 * because `hashtextextended` gives texts that a collation calls equal the same hash. xor and sum over all rows do not depend on
 * their order; the sum detects a row that exists twice, which xor does not.
 *
 * - Stored generated columns are hashed separately, because a restore computes them again. Virtual ones store nothing.
 * - Materialised views and foreign tables have no data in a dump.
 * - Rows of a table that is hash-partitioned by an enum count for the topmost table: pg_dump restores them through it, and they may
 *   get into other partitions, because the hash of an enum value is that of its OID.
 * - Tables and sequences of an extension count when the extension declares them as its configuration, with its condition.
 */
export const content = String.raw`
WITH enum_hash AS (
  SELECT partrelid FROM pg_partitioned_table WHERE partstrat = 'h' AND (
    SELECT o.oid FROM pg_opclass o JOIN pg_am a ON a.oid = o.opcmethod
    WHERE opcname = 'enum_ops' AND opcnamespace = 'pg_catalog'::regnamespace AND amname = 'hash') = ANY (partclass)
),
configuration AS (
  SELECT u.oid, coalesce(x.extcondition[u.i], '') AS condition
  FROM pg_extension x, unnest(x.extconfig) WITH ORDINALITY u(oid, i)
),
relation AS (
  SELECT c.oid, relkind, condition, CASE
    WHEN relispartition AND EXISTS (SELECT FROM pg_partition_ancestors(c.oid) JOIN enum_hash ON relid = partrelid)
    THEN pg_partition_root(c.oid)::text ELSE c.oid::regclass::text END AS name
  FROM pg_class c LEFT JOIN configuration x ON x.oid = c.oid
  WHERE relkind IN ('r', 'S') AND relpersistence <> 't' AND (x.oid IS NOT NULL OR ${isUserObject('pg_class', 'c', 'relnamespace')})
),
source AS (
  SELECT r.*,
    coalesce(string_agg(format('t.%I', attname), ', ' ORDER BY attname) FILTER (WHERE attgenerated = ''), '') AS written,
    coalesce(string_agg(format('t.%I', attname), ', ' ORDER BY attname) FILTER (WHERE attgenerated <> 'v'), '') AS stored
  FROM relation r LEFT JOIN pg_attribute a ON attrelid = r.oid AND attnum > 0 AND NOT attisdropped
  GROUP BY r.oid, relkind, condition, name
),
hashed AS (
  SELECT *, format('hashtextextended(row(%s)::text COLLATE "C", 0)', written) AS h, CASE stored WHEN written THEN 'NULL::bigint'
    ELSE format('hashtextextended(row(%s)::text COLLATE "C", 0)', stored) END AS g FROM source
)
SELECT CASE relkind
  WHEN 'S' THEN format('SELECT json_build_array(''sequence'', %L, last_value::text, is_called) FROM %s', name, oid::regclass)
  ELSE format('SELECT json_build_array(''rows'', %L, count(*), bit_xor(h)::text, sum(h)::text, bit_xor(g)::text, sum(g)::text) '
    'FROM (SELECT %s AS h, %s AS g FROM (SELECT * FROM ONLY %s %s) t) hashed', name, h, g, oid::regclass, condition)
  END
FROM hashed ORDER BY name
\gexec
WITH RECURSIVE piece AS (
  SELECT oid, 0::bigint AS nr, length(data), sha256(data) AS hash
  FROM (SELECT oid, lo_get(oid, 0, 1048576) AS data FROM pg_largeobject_metadata OFFSET 0) first
  UNION ALL
  SELECT oid, nr, length(data), sha256(data)
  FROM (SELECT oid, nr + 1 AS nr, lo_get(oid, (nr + 1) * 1048576, 1048576) AS data FROM piece WHERE length = 1048576 OFFSET 0) next
),
hashed AS (SELECT nr, hashtextextended(concat_ws(' ', oid, nr, length, hash) COLLATE "C", 0) AS h FROM piece),
rights AS (
  SELECT hashtextextended(json_build_array(oid, pg_get_userbyid(lomowner), obj_description(oid, 'pg_largeobject'), ARRAY(
    SELECT concat_ws(' ', grantee::regrole, grantor::regrole, privilege_type, is_grantable) COLLATE "C"
    FROM aclexplode(coalesce(lomacl, acldefault('L', lomowner))) acl ORDER BY 1))::text COLLATE "C", 0) AS g
  FROM pg_largeobject_metadata
)
SELECT json_build_array('objects', (SELECT count(*) FROM pg_largeobject_metadata), bit_xor(h)::text, sum(h)::text,
  (SELECT bit_xor(g)::text FROM rights), (SELECT sum(g)::text FROM rights)) FROM hashed;
`;
