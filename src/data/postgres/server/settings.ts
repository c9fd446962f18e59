import { ask, type DatabaseTarget } from './server.ts';

/**
 * Reads owner, connection limit, settings, rights and comment of a database: pg_dump leaves them out, and a restore under
 * another name would lose them (docs/FACTS.md "What a dump leaves out"). They are in catalogs that all databases of the server
 * share. So the query works from any database, even for a database that refuses connections.
 * @param of the database whose settings are read
 * @returns SQL for `psql -v database=NAME -f settings.sql`; it contains no name of a database
 */
export async function databaseSettings(target: DatabaseTarget, of: string = target.database): Promise<string> {
  const lines = await ask(target, query, { of }, 'BACKUP_FAILED');
  return `${['-- psql -v ON_ERROR_STOP=1 -v database=NAME -f settings.sql', ...lines].join('\n')}\n`;
}

/**
 * A setting is kept as name=value. The value of a list of names (GUC_LIST_QUOTE in pg_dump's dumputils.c) is SQL
 * already; every other one is a literal.
 */
const query = String.raw`
WITH db AS (SELECT * FROM pg_database WHERE datname = :'of'),
setting AS (
  SELECT r.rolname, i, split_part(c, '=', 1) AS name, substr(c, strpos(c, '=') + 1) AS value
  FROM db JOIN pg_db_role_setting s ON s.setdatabase = db.oid LEFT JOIN pg_roles r ON r.oid = s.setrole, unnest(s.setconfig) WITH ORDINALITY u(c, i)
),
grants AS (
  SELECT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(g.rolname) END AS grantee, a.privilege_type, a.is_grantable
  FROM db, aclexplode(coalesce(db.datacl, acldefault('d', db.datdba))) a LEFT JOIN pg_roles g ON g.oid = a.grantee
),
line(nr, i, sql) AS (
  SELECT 1, 0, format('ALTER DATABASE :"database" OWNER TO %I;', pg_get_userbyid(datdba)) FROM db
  UNION ALL SELECT 2, 0, format('ALTER DATABASE :"database" CONNECTION LIMIT %s;', datconnlimit) FROM db
  UNION ALL SELECT 3, 0, 'REVOKE ALL ON DATABASE :"database" FROM PUBLIC;'
  UNION ALL SELECT 4, 0, format('GRANT %s ON DATABASE :"database" TO %s%s;', privilege_type, grantee,
    CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END) FROM grants
  UNION ALL SELECT 5, i, format('ALTER %s SET %I TO %s;',
    CASE WHEN rolname IS NULL THEN 'DATABASE :"database"' ELSE format('ROLE %I IN DATABASE :"database"', rolname) END, name,
    CASE WHEN name IN ('local_preload_libraries', 'search_path', 'session_preload_libraries', 'shared_preload_libraries',
      'temp_tablespaces', 'unix_socket_directories') AND value <> '' THEN value ELSE quote_literal(value) END) FROM setting
  UNION ALL SELECT 6, 0, format('COMMENT ON DATABASE :"database" IS %L;', shobj_description(oid, 'pg_database'))
    FROM db WHERE shobj_description(oid, 'pg_database') IS NOT NULL
)
SELECT sql FROM line ORDER BY nr, i, sql`;
