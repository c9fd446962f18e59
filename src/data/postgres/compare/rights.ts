import { namedFunction, namedType } from './schema-others.ts';
import { isUserObject, sorted } from '../server/session.ts';

/**
 * SQL that prints owners, grants, comments and security labels as JSON lines `["object", kind, name, value]`. Those of large
 * objects are part of the content.
 *
 * Grants are compared by their meaning, not as the stored list: a missing list means the default, and its order depends on history.
 * The owner appears as `owner`. Objects of initdb or of an extension belong to the user who restores; their grants are compared
 * as differences from the initial ones (`pg_init_privs`), which is what pg_dump keeps.
 */
type Catalog = { name: string; prefix: string; namespace?: boolean; acl?: string; where?: string };
const catalogs: Catalog[] = [
  {
    name: 'pg_class',
    prefix: 'rel',
    namespace: true,
    acl: `CASE relkind WHEN 'S' THEN 's' ELSE 'r' END`,
    where: `relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND relpersistence <> 't'`,
  },
  { name: 'pg_proc', prefix: 'pro', namespace: true, acl: `'f'`, where: namedFunction('o') },
  { name: 'pg_type', prefix: 'typ', namespace: true, acl: `'T'`, where: namedType('o') },
  { name: 'pg_namespace', prefix: 'nsp', acl: `'n'`, where: `nspname !~ '^pg_(temp|toast)'` },
  { name: 'pg_language', prefix: 'lan', acl: `'l'` },
  { name: 'pg_foreign_data_wrapper', prefix: 'fdw', acl: `'F'` },
  { name: 'pg_foreign_server', prefix: 'srv', acl: `'S'` },
  { name: 'pg_operator', prefix: 'opr', namespace: true, where: 'oprcode <> 0' },
  { name: 'pg_opclass', prefix: 'opc', namespace: true },
  { name: 'pg_opfamily', prefix: 'opf', namespace: true },
  { name: 'pg_collation', prefix: 'coll', namespace: true },
  { name: 'pg_conversion', prefix: 'con', namespace: true },
  { name: 'pg_statistic_ext', prefix: 'stx', namespace: true },
  { name: 'pg_ts_dict', prefix: 'dict', namespace: true },
  { name: 'pg_ts_config', prefix: 'cfg', namespace: true },
  { name: 'pg_event_trigger', prefix: 'evt' },
  { name: 'pg_publication', prefix: 'pub' },
];

const objects = catalogs.map(({ name, prefix, namespace, acl = 'NULL', where = 'true' }) => {
  const mine = namespace ? isUserObject(name, 'o', `${prefix}namespace`) : isUserObject(name, 'o');
  return `SELECT '${name}'::regclass AS class, oid, 0 AS part, ${prefix}owner AS owner, ${acl === 'NULL' ? 'NULL::aclitem[]' : `${prefix}acl`} AS acl,
    (${acl})::"char" AS acltype, ${name === 'pg_namespace' ? `(${mine} OR nspname = 'public')` : mine} AS own FROM ${name} o WHERE ${where}`;
});
const columns = `SELECT 'pg_class'::regclass, attrelid, attnum, relowner, attacl, 'c', ${isUserObject('pg_class', 'o', 'relnamespace')}
  FROM pg_attribute JOIN pg_class o ON o.oid = attrelid WHERE attacl IS NOT NULL AND NOT attisdropped AND attnum > 0`;

const grants = (acl: string) =>
  sorted(`ARRAY(SELECT concat_ws(' ', CASE grantee WHEN owner THEN 'owner' ELSE coalesce(nullif(grantee, 0)::regrole::text, 'PUBLIC') END,
    privilege_type, is_grantable, 'by', CASE grantor WHEN owner THEN 'owner' ELSE grantor::regrole::text END) FROM aclexplode(${acl}) g)`);

/** The schema `public` as template0 has it: up to PostgreSQL 14 the superuser owns it, with wider rights. */
const publicAsMade = `(class = 'pg_namespace'::regclass AND identity = 'public' AND CASE WHEN current_setting('server_version_num')::int >= 150000
  THEN owner = 'pg_database_owner'::regrole AND now = '{PUBLIC USAGE f by owner,owner CREATE f by owner,owner USAGE f by owner}'
  ELSE owner = 10 AND now = '{PUBLIC CREATE f by owner,PUBLIC USAGE f by owner,owner CREATE f by owner,owner USAGE f by owner}' END)`;

const ownersAndGrants = `
WITH object AS (${[...objects, columns].join('\nUNION ALL ')}),
kept AS MATERIALIZED (
  SELECT object.*, initprivs FROM object LEFT JOIN pg_init_privs ON objoid = oid AND classoid = class AND objsubid = part
  WHERE own OR acl IS DISTINCT FROM initprivs
),
named AS (
  SELECT kept.*, concat(i.type, ' ', i.identity) AS name, identity,
    ${grants('coalesce(acl, acldefault(acltype, owner))')} AS now, ${grants('coalesce(initprivs, acldefault(acltype, owner))')} AS made
  FROM kept, pg_identify_object(class, oid, part) i WHERE own OR coalesce(i.schema, i.identity) NOT IN ('information_schema', 'pg_toast')
),
line(kind, name, value) AS (
  SELECT 'owner', name, to_json(owner::regrole::text) FROM named WHERE own AND part = 0 AND NOT ${publicAsMade}
  UNION ALL SELECT 'grants on', name, to_json(now) FROM named WHERE own AND acltype IS NOT NULL AND (part = 0 OR now <> '{}') AND NOT ${publicAsMade}
  UNION ALL SELECT 'grants on', name, json_build_array(ARRAY(SELECT unnest(now) EXCEPT SELECT unnest(made) ORDER BY 1),
    ARRAY(SELECT unnest(made) EXCEPT SELECT unnest(now) ORDER BY 1)) FROM named WHERE NOT own AND now <> made
)
SELECT json_build_array('object', kind, name, value) FROM line;

SELECT json_build_array('object', 'default privileges', format('of %s for %s in %s', owner::regrole, defaclobjtype,
  coalesce(nullif(defaclnamespace, 0)::regnamespace::text, 'every schema')), ${grants('defaclacl')})
FROM (SELECT *, defaclrole AS owner FROM pg_default_acl) d;
`;

const extended = (row: string) =>
  `EXISTS (SELECT FROM pg_depend e WHERE e.classid = ${row}.classoid AND e.objid = ${row}.objoid AND e.deptype = 'e')`;
const undumped = (row: string) => `${extended(row)} OR ${row}.classoid = 'pg_largeobject'::regclass OR i.identity IS NULL
  OR (${row}.classoid = 'pg_class'::regclass AND ${row}.objoid IN (SELECT indexrelid FROM pg_index WHERE NOT indisvalid))
  OR NOT (${row}.objoid >= 16384 OR i.identity = 'public' AND i.type = 'schema') OR i.identity = 'plpgsql' AND i.type = 'extension'`;

const comments = `
SELECT json_build_array('object', 'comment on', concat(i.type, ' ', i.identity), description)
FROM pg_description d, pg_identify_object(classoid, objoid, objsubid) i
WHERE NOT (${undumped('d')} OR i.type = 'schema' AND description = 'standard public schema');

SELECT json_build_array('object', 'security label of', concat(i.type, ' ', i.identity), json_build_array(provider, label))
FROM pg_seclabel l, pg_identify_object(classoid, objoid, objsubid) i WHERE NOT (${undumped('l')});
`;

export const rights = ownersAndGrants + comments;
