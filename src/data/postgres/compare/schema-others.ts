import { isUserObject, sorted } from '../server/session.ts';

/**
 * SQL that prints definitions of everything but relations, as JSON lines like those of schema-relations.ts. It leaves out what
 * a restore may change: functions and types that belong to another type (pg_dump does not dump them), recorded collation
 * versions, whether a subscription is enabled, plpgsql (template0 has it).
 */

/** An SQL condition: the type is neither an array, nor the row type of a table, nor the multirange of a range. */
export const namedType = (
  row: string,
) => `typtype <> 'm' AND NOT EXISTS (SELECT FROM pg_type element WHERE element.typarray = ${row}.oid)
  AND (typrelid = 0 OR (SELECT relkind FROM pg_class WHERE oid = typrelid) = 'c')`;
/** An SQL condition: the server did not make the function for a type. The first superuser owns those, whoever made the type. */
export const namedFunction = (row: string) =>
  `NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = ${row}.oid AND d.deptype = 'i')`;

const collation = (oid: string) =>
  `(SELECT format('%I.%I', nspname, collname) FROM pg_collation l JOIN pg_namespace n ON n.oid = collnamespace WHERE l.oid = ${oid})`;
const qualified = (catalog: string, name: string, oid: string) =>
  `(SELECT format('%I.%I', nspname, ${name}) FROM ${catalog} q JOIN pg_namespace n ON n.oid = ${name.replace('name', 'namespace')} WHERE q.oid = ${oid})`;
const plain = (row: string, ...without: string[]) => `to_jsonb(${row}) - '{${without.join(',')}}'::text[]`;
const object = (kind: string, name: string, definition: string, from: string) =>
  `SELECT json_build_array('object', '${kind}', ${name}, ${definition}) FROM ${from};\n`;

const functions = [
  object(
    'function',
    'p.oid::regprocedure',
    'pg_get_functiondef(p.oid)',
    `pg_proc p WHERE prokind <> 'a' AND ${namedFunction('p')} AND ${isUserObject('pg_proc', 'p', 'pronamespace')}`,
  ),
  object(
    'aggregate',
    'p.oid::regprocedure',
    `json_build_array(pg_get_function_arguments(p.oid), proparallel, aggsortop::regoperator, aggtranstype::regtype, aggmtranstype::regtype,
      ${plain('g', 'aggfnoid', 'aggsortop', 'aggtranstype', 'aggmtranstype')})`,
    `pg_proc p JOIN pg_aggregate g ON g.aggfnoid = p.oid WHERE ${isUserObject('pg_proc', 'p', 'pronamespace')}`,
  ),
];

// typdefault is text from the time when the type was made, with the search_path of that time; the expression is used if there is one.
const oidsOfType =
  'oid,typname,typnamespace,typowner,typacl,typrelid,typarray,typelem,typbasetype,typcollation,typdefault,typdefaultbin';
const types = [
  object(
    'type',
    't.oid::regtype',
    `json_build_array(${plain('t', ...oidsOfType.split(','))}, nullif(typelem, 0)::regtype,
      format_type(nullif(typbasetype, 0), typtypmod), coalesce(pg_get_expr(typdefaultbin, 0), typdefault), ${collation('typcollation')},
      ARRAY(SELECT enumlabel FROM pg_enum WHERE enumtypid = t.oid ORDER BY enumsortorder),
      (SELECT json_build_array(rngsubtype::regtype, ${collation('rngcollation')}, rngcanonical, rngsubdiff,
        ${qualified('pg_opclass', 'opcname', 'rngsubopc')}, (to_jsonb(r)->>'rngmultitypid')::oid::regtype) FROM pg_range r WHERE rngtypid = t.oid))`,
    `pg_type t WHERE ${namedType('t')} AND ${isUserObject('pg_type', 't', 'typnamespace')}`,
  ),
  object(
    'cast',
    `format('(%s AS %s)', castsource::regtype, casttarget::regtype)`,
    'json_build_array(castfunc::regprocedure, castcontext, castmethod)',
    `pg_cast c WHERE ${isUserObject('pg_cast', 'c')}`,
  ),
  object(
    'transform',
    `format('for %s language %I', trftype::regtype, lanname)`,
    'json_build_array(trffromsql::regprocedure, trftosql::regprocedure)',
    `pg_transform t JOIN pg_language g ON g.oid = trflang WHERE ${isUserObject('pg_transform', 't')}`,
  ),
  object(
    'collation',
    collation('c.oid'),
    plain('c', 'oid', 'collname', 'collnamespace', 'collowner', 'collversion'),
    `pg_collation c WHERE ${isUserObject('pg_collation', 'c', 'collnamespace')}`,
  ),
  object(
    'conversion',
    qualified('pg_conversion', 'conname', 'c.oid'),
    plain('c', 'oid', 'conname', 'connamespace', 'conowner'),
    `pg_conversion c WHERE ${isUserObject('pg_conversion', 'c', 'connamespace')}`,
  ),
];

const family = (row: string) => `(SELECT format('%I.%I using %I', nspname, opfname, amname) FROM pg_opfamily q
  JOIN pg_namespace n ON n.oid = opfnamespace JOIN pg_am a ON a.oid = opfmethod WHERE q.oid = ${row})`;
const operators = [
  object(
    'operator',
    'o.oid::regoperator',
    `json_build_array(oprkind, oprcanmerge, oprcanhash, oprresult::regtype, oprcom::regoperator, oprnegate::regoperator,
      oprcode::regprocedure, oprrest::regprocedure, oprjoin::regprocedure)`,
    `pg_operator o WHERE oprcode <> 0 AND ${isUserObject('pg_operator', 'o', 'oprnamespace')}`,
  ),
  object(
    'operator class',
    `format('%s using %I', ${qualified('pg_opclass', 'opcname', 'o.oid')}, amname)`,
    `json_build_array(${family('opcfamily')}, opcintype::regtype, opcdefault, opckeytype::regtype)`,
    `pg_opclass o JOIN pg_am m ON m.oid = opcmethod WHERE ${isUserObject('pg_opclass', 'o', 'opcnamespace')}`,
  ),
  object(
    'operator family',
    family('f.oid'),
    `json_build_array(${sorted(`ARRAY(SELECT concat_ws(' ', amopstrategy, amoplefttype::regtype, amoprighttype::regtype,
        amopopr::regoperator, amoppurpose, ${family('amopsortfamily')}) FROM pg_amop WHERE amopfamily = f.oid)`)},
      ${sorted(`ARRAY(SELECT concat_ws(' ', amprocnum, amproclefttype::regtype, amprocrighttype::regtype, amproc::regprocedure)
        FROM pg_amproc WHERE amprocfamily = f.oid)`)})`,
    `pg_opfamily f WHERE ${isUserObject('pg_opfamily', 'f', 'opfnamespace')}`,
  ),
  object('access method', 'amname', 'json_build_array(amhandler, amtype)', `pg_am a WHERE ${isUserObject('pg_am', 'a')}`),
  object(
    'language',
    'lanname',
    'json_build_array(lanpltrusted, lanplcallfoid::regprocedure, laninline::regprocedure, lanvalidator::regprocedure)',
    `pg_language g WHERE ${isUserObject('pg_language', 'g')}`,
  ),
];

const search = [
  object(
    'text search parser',
    qualified('pg_ts_parser', 'prsname', 'p.oid'),
    plain('p', 'oid', 'prsname', 'prsnamespace'),
    `pg_ts_parser p WHERE ${isUserObject('pg_ts_parser', 'p', 'prsnamespace')}`,
  ),
  object(
    'text search template',
    qualified('pg_ts_template', 'tmplname', 't.oid'),
    plain('t', 'oid', 'tmplname', 'tmplnamespace'),
    `pg_ts_template t WHERE ${isUserObject('pg_ts_template', 't', 'tmplnamespace')}`,
  ),
  object(
    'text search dictionary',
    'd.oid::regdictionary',
    `json_build_array(${qualified('pg_ts_template', 'tmplname', 'dicttemplate')}, dictinitoption)`,
    `pg_ts_dict d WHERE ${isUserObject('pg_ts_dict', 'd', 'dictnamespace')}`,
  ),
  object(
    'text search configuration',
    'c.oid::regconfig',
    `json_build_array(${qualified('pg_ts_parser', 'prsname', 'cfgparser')}, ${sorted(`ARRAY(
      SELECT concat_ws(' ', maptokentype, mapseqno, mapdict::regdictionary) FROM pg_ts_config_map WHERE mapcfg = c.oid)`)})`,
    `pg_ts_config c WHERE ${isUserObject('pg_ts_config', 'c', 'cfgnamespace')}`,
  ),
];

const foreign = [
  object(
    'foreign data wrapper',
    'fdwname',
    `json_build_array(fdwhandler::regprocedure, fdwvalidator::regprocedure, ${sorted('fdwoptions')})`,
    `pg_foreign_data_wrapper w WHERE ${isUserObject('pg_foreign_data_wrapper', 'w')}`,
  ),
  object(
    'server',
    'srvname',
    `json_build_array(fdwname, srvtype, srvversion, ${sorted('srvoptions')})`,
    `pg_foreign_server v JOIN pg_foreign_data_wrapper w ON w.oid = srvfdw WHERE ${isUserObject('pg_foreign_server', 'v')}`,
  ),
  object('user mapping', `format('for %I server %I', usename, srvname)`, sorted('umoptions'), 'pg_user_mappings'),
  object(
    'publication',
    'pubname',
    `json_build_array(${plain('p', 'oid', 'pubname', 'pubowner')},
    (SELECT json_agg(to_jsonb(t) ORDER BY schemaname, tablename) FROM pg_publication_tables t WHERE t.pubname = p.pubname))`,
    `pg_publication p WHERE ${isUserObject('pg_publication', 'p')}`,
  ),
  // pg_dump leaves them out, unless a superuser runs it
  object(
    'subscription',
    'subname',
    `json_build_array(subslotname, subsynccommit, ${sorted('subpublications')})`,
    `pg_subscription WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)`,
  ),
];

// Without public: a restored database always has this schema, from template0.
const containers = [
  object(
    'schema',
    'quote_ident(nspname)',
    `''`,
    `pg_namespace n WHERE nspname <> 'public' AND nspname !~ '^pg_' AND ${isUserObject('pg_namespace', 'n')}`,
  ),
  object(
    'extension',
    'quote_ident(extname)',
    `format('%s in %I', extversion, nspname)`,
    `pg_extension x JOIN pg_namespace n ON n.oid = extnamespace WHERE extname <> 'plpgsql'`,
  ),
];

export const schemaOfOthers = [functions, types, operators, search, foreign, containers].flat().join('');
