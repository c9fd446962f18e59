import { isUserObject, sorted } from '../server/session.ts';

/**
 * SQL that prints definitions of relations and their parts as JSON lines `["object", kind, name, definition]` and
 * `["invalid", index]`. It leaves out OIDs, and what dump and restore may change:
 *
 * - a column's number (dropped columns disappear), and its place in a table that inherits, where a restore puts inherited columns first
 * - `attislocal` and the like, tablespaces, the names of NOT NULL constraints (PostgreSQL 18)
 * - constraints that a partition has from its parent (`conparentid`): they are cloned again, under new names
 * - invalid indexes, except those of partitioned tables: pg_dump leaves them out; they are listed separately
 * - a materialised view above one that is not populated: pg_dump does not populate it either
 */
const table = isUserObject('pg_class', 'c', 'relnamespace');
const permanent = `relpersistence <> 't' AND ${table}`;
const options = sorted('c.reloptions');
/** Current minor releases store the version of a column's type among its options; pg_dump leaves it out. */
const ownOptions = `ARRAY(SELECT o FROM unnest(attoptions) o WHERE o NOT LIKE 'pg\\_attver=%')`;

const tables = `
SELECT json_build_array('object', 'table', c.oid::regclass, json_build_array(
  c.relkind, c.relpersistence, amname, ${options}, ${sorted('toast.reloptions')}, c.relrowsecurity, c.relforcerowsecurity,
  c.relreplident, pg_get_partkeydef(c.oid), pg_get_expr(c.relpartbound, c.oid),
  ${sorted('ARRAY(SELECT inhparent::regclass::text FROM pg_inherits WHERE inhrelid = c.oid)')},
  nullif(c.reloftype, 0)::regtype, srvname, ${sorted('ftoptions')}))
FROM pg_class c LEFT JOIN pg_am a ON a.oid = c.relam LEFT JOIN pg_class toast ON toast.oid = c.reltoastrelid
  LEFT JOIN pg_foreign_table ON ftrelid = c.oid LEFT JOIN pg_foreign_server v ON v.oid = ftserver
WHERE c.relkind IN ('r', 'p', 'f') AND c.${permanent};
`;

const columns = `
SELECT json_build_array('object', 'column', format('%s.%I', c.oid::regclass, attname), json_build_array(
  format_type(atttypid, atttypmod), attnotnull, attidentity, attgenerated, pg_get_expr(adbin, adrelid),
  (SELECT format('%I.%I', nspname, collname) FROM pg_collation l JOIN pg_namespace n ON n.oid = collnamespace WHERE l.oid = attcollation),
  CASE WHEN relkind NOT IN ('v', 'c') THEN json_build_array(attstorage, nullif(to_jsonb(a)->>'attcompression', ''),
    nullif(to_jsonb(a)->>'attstattarget', '-1')) END, ${sorted(ownOptions)}, ${sorted('attfdwoptions')},
  CASE WHEN relispartition OR NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = c.oid)
    THEN row_number() OVER (PARTITION BY c.oid ORDER BY attnum) END))
FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
WHERE attnum > 0 AND NOT attisdropped AND relkind IN ('r', 'p', 'f', 'v', 'm', 'c') AND ${permanent}
  AND (relkind <> 'c' OR EXISTS (SELECT FROM pg_type y WHERE y.oid = reltype AND ${isUserObject('pg_type', 'y', 'typnamespace')}));
`;

const constraints = `
SELECT json_build_array('object', CASE contype WHEN 'n' THEN 'not null' ELSE 'constraint' END,
  CASE contype WHEN 'n' THEN concat(c.oid::regclass, ' ', pg_get_constraintdef(k.oid))
    ELSE format('%I on %s', conname, c.oid::regclass) END,
  json_build_array(contype, pg_get_constraintdef(k.oid)))
FROM pg_constraint k JOIN pg_class c ON c.oid = conrelid
WHERE contype <> 't' AND (contype <> 'f' OR conparentid = 0) AND ${permanent};

SELECT json_build_array('object', 'constraint', format('%I on domain %s', conname, y.oid::regtype), pg_get_constraintdef(k.oid))
FROM pg_constraint k JOIN pg_type y ON y.oid = contypid WHERE ${isUserObject('pg_type', 'y', 'typnamespace')} AND contype <> 'n';
`;

const indexes = `
SELECT json_build_array('object', 'index', indexrelid::regclass, json_build_array(pg_get_indexdef(indexrelid),
  indisclustered, indisreplident, indisvalid, (SELECT inhparent::regclass FROM pg_inherits WHERE inhrelid = indexrelid),
  ARRAY(SELECT nullif(to_jsonb(a)->>'attstattarget', '-1') FROM pg_attribute a WHERE attrelid = indexrelid ORDER BY attnum)))
FROM pg_index JOIN pg_class c ON c.oid = indrelid WHERE (indisvalid OR relkind = 'p') AND indisready AND ${permanent};

SELECT json_build_array('invalid', indexrelid::regclass)
FROM pg_index JOIN pg_class c ON c.oid = indrelid WHERE NOT (indisvalid AND indisready) AND ${permanent};

SELECT json_build_array('object', 'statistics object', format('%I.%I', nspname, stxname), json_build_array(stxrelid::regclass, stxkind,
  ARRAY(SELECT attname FROM unnest(stxkeys) k JOIN pg_attribute ON attrelid = stxrelid AND attnum = k ORDER BY attname),
  pg_get_statisticsobjdef_expressions(x.oid), nullif(to_jsonb(x)->>'stxstattarget', '-1')))
FROM pg_statistic_ext x JOIN pg_namespace n ON n.oid = stxnamespace WHERE ${isUserObject('pg_statistic_ext', 'x', 'stxnamespace')};
`;

const views = `
WITH RECURSIVE unpopulated AS (
  SELECT oid FROM pg_class WHERE relkind = 'm' AND NOT relispopulated
  UNION SELECT ev_class FROM unpopulated u JOIN pg_depend d ON refclassid = 'pg_class'::regclass AND refobjid = u.oid
    AND classid = 'pg_rewrite'::regclass JOIN pg_rewrite r ON r.oid = objid
)
SELECT json_build_array('object', 'view', c.oid::regclass, json_build_array(relkind, relpersistence, amname, ${options},
  relkind = 'm' AND c.oid IN (SELECT oid FROM unpopulated), pg_get_viewdef(c.oid)))
FROM pg_class c LEFT JOIN pg_am a ON a.oid = relam WHERE relkind IN ('v', 'm') AND ${permanent};

SELECT json_build_array('object', 'rule', format('%I on %s', rulename, c.oid::regclass), json_build_array(ev_enabled, pg_get_ruledef(r.oid)))
FROM pg_rewrite r JOIN pg_class c ON c.oid = ev_class WHERE rulename <> '_RETURN' AND ${permanent};
`;

const triggers = `
SELECT json_build_array('object', 'trigger', format('%I on %s', tgname, c.oid::regclass), json_build_array(tgenabled, pg_get_triggerdef(t.oid)))
FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid WHERE NOT tgisinternal AND ${permanent};

SELECT json_build_array('object', 'event trigger', evtname,
  json_build_array(evtevent, evtenabled, evtfoid::regprocedure, ${sorted('evttags')}))
FROM pg_event_trigger t WHERE ${isUserObject('pg_event_trigger', 't')};

SELECT json_build_array('object', 'policy', format('%I on %s', polname, c.oid::regclass), json_build_array(polcmd, polpermissive,
  ${sorted('ARRAY(SELECT r::regrole::text FROM unnest(polroles) r)')}, pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)))
FROM pg_policy p JOIN pg_class c ON c.oid = polrelid WHERE ${permanent};
`;

const sequences = `
SELECT json_build_array('object', 'sequence', c.oid::regclass, json_build_array(relpersistence, format_type(seqtypid, NULL),
  seqstart::text, seqincrement::text, seqmin::text, seqmax::text, seqcache::text, seqcycle,
  (SELECT format('%s.%I %s', attrelid::regclass, attname, deptype) FROM pg_depend d
    JOIN pg_attribute ON attrelid = refobjid AND attnum = refobjsubid
    WHERE classid = 'pg_class'::regclass AND objid = c.oid AND refclassid = 'pg_class'::regclass AND deptype IN ('a', 'i'))))
FROM pg_sequence JOIN pg_class c ON c.oid = seqrelid WHERE ${permanent};
`;

export const schemaOfRelations = [tables, columns, constraints, indexes, views, triggers, sequences].join('');
