import { describe, expect, test } from 'vitest';
import { missingRoles } from '../../../../src/data/postgres/backup/roles.ts';
import { sqlStatements } from '../../../../src/data/postgres/backup/sql-statements.ts';

/** As pg_dumpall 15 and 17 write it, with names and texts that try to break out. */
const script = String.raw`--
-- PostgreSQL database cluster dump
--

\restrict aBc123

SET default_transaction_read_only = off;
SET client_encoding = 'UTF8';

--
-- Roles
--

CREATE ROLE nodepad;
ALTER ROLE nodepad WITH SUPERUSER INHERIT CREATEROLE CREATEDB LOGIN REPLICATION BYPASSRLS PASSWORD 'SCRAM-SHA-256$4096:a;b$c:d';
CREATE ROLE "odd ""name"";";
ALTER ROLE "odd ""name"";" WITH NOSUPERUSER NOLOGIN;
COMMENT ON ROLE "odd ""name"";" IS 'it''s; one
-- no comment
CREATE ROLE never;';
CREATE ROLE reader;
ALTER ROLE reader WITH NOSUPERUSER LOGIN PASSWORD E'back\\slash\';';
ALTER ROLE reader SET search_path TO '$user', 'public';
ALTER ROLE nodepad SET statement_timeout TO '5s';

--
-- Role memberships
--

GRANT "odd ""name"";" TO reader WITH ADMIN OPTION, INHERIT TRUE GRANTED BY nodepad;
GRANT pg_monitor TO nodepad GRANTED BY postgres;
GRANT pg_monitor TO reader;
GRANT SET ON PARAMETER log_min_messages TO reader;
GRANT SET ON PARAMETER log_min_messages TO nodepad;

CREATE TABLESPACE fast OWNER nodepad LOCATION '/mnt/fast';
\unrestrict aBc123
`;

describe('statements', () => {
  test('quoted names and texts hold semicolons, newlines and comments; psql’s own commands are none', () => {
    const statements = sqlStatements(script);
    expect(statements).toHaveLength(17);
    expect(statements.filter((one) => one.startsWith('CREATE ROLE'))).toEqual([
      'CREATE ROLE nodepad',
      'CREATE ROLE "odd ""name"";"',
      'CREATE ROLE reader',
    ]);
    expect(statements.find((one) => one.startsWith('COMMENT'))).toContain('CREATE ROLE never;');
  });
  test('a statement without an end is none', () => {
    expect(sqlStatements("CREATE ROLE a; ALTER ROLE a PASSWORD 'open")).toEqual(['CREATE ROLE a']);
    expect(sqlStatements('-- only this')).toEqual([]);
  });
});

describe('missing roles of a backup', () => {
  test('all of them on an empty server; no tablespace, and who granted does not matter', () => {
    const { names, sql } = missingRoles(script, ['airdock_scratch', 'pg_monitor']);
    expect(names).toEqual(['nodepad', 'odd "name";', 'reader']);
    expect(sql).not.toContain('TABLESPACE');
    expect(sql).not.toContain('GRANTED BY');
    expect(sql).toContain('GRANT "odd ""name"";" TO reader WITH ADMIN OPTION, INHERIT TRUE;\n');
    expect(sql).toContain("PASSWORD 'SCRAM-SHA-256$4096:a;b$c:d';\n");
    expect(sql).toContain('GRANT pg_monitor TO nodepad;\n');
    expect(sqlStatements(sql)).toHaveLength(16);
  });

  test('only the missing ones: existing roles are not altered, granted or commented', () => {
    const { names, sql } = missingRoles(script, ['nodepad', 'odd "name";', 'pg_monitor']);
    expect(names).toEqual(['reader']);
    expect(sqlStatements(sql)).toEqual([
      'SET default_transaction_read_only = off',
      "SET client_encoding = 'UTF8'",
      'CREATE ROLE reader',
      String.raw`ALTER ROLE reader WITH NOSUPERUSER LOGIN PASSWORD E'back\\slash\';'`,
      "ALTER ROLE reader SET search_path TO '$user', 'public'",
      'GRANT "odd ""name"";" TO reader WITH ADMIN OPTION, INHERIT TRUE',
      'GRANT pg_monitor TO reader',
      'GRANT SET ON PARAMETER log_min_messages TO reader',
    ]);
  });

  test('none when none is missing', () => {
    expect(missingRoles(script, ['nodepad', 'odd "name";', 'reader']).names).toEqual([]);
  });
});
