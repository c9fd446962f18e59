import { sqlStatements } from './sql-statements.ts';

/**
 * Of `roles.sql` (pg_dumpall) what makes the roles that a server lacks, and nothing that changes one which is there: its
 * password and its rights are that server's own. Tablespaces, which older backups hold too, are paths of another machine.
 */
export type MissingRoles = { names: string[]; sql: string };

const name = String.raw`"(?:[^"]|"")+"|[^\s";,]+`;
const made = new RegExp(`^CREATE ROLE (${name})$`);
/** ALTER ROLE x WITH …, ALTER ROLE x SET …, COMMENT ON ROLE x, SECURITY LABEL … ON ROLE x, GRANT SET ON PARAMETER p TO x. */
const ofOne = [
  new RegExp(`^ALTER ROLE (${name}) `),
  new RegExp(`^COMMENT ON ROLE (${name}) `),
  new RegExp(`^SECURITY LABEL FOR (?:${name}) ON ROLE (${name}) `),
  new RegExp(`^GRANT .+ ON PARAMETER (?:${name}) TO (${name})`),
];
const membership = new RegExp(`^(GRANT (${name}) TO (${name})(?: WITH .*?)?)(?: GRANTED BY (?:${name}))?$`, 's');

export function missingRoles(script: string, existing: Iterable<string>): MissingRoles {
  const there = new Set(existing);
  const statements = sqlStatements(script);
  const missing = new Set(
    statements.flatMap((one) => (made.exec(one) ?? []).slice(1).map(unquoted)).filter((one) => !there.has(one)),
  );
  const sql = statements.flatMap((statement) => {
    if (statement.startsWith('SET ')) return [statement];
    const role =
      made.exec(statement)?.[1] ?? ofOne.map((pattern) => pattern.exec(statement)?.[1]).find((one) => one !== undefined);
    if (role !== undefined) return missing.has(unquoted(role)) ? [statement] : [];
    // Who granted it may not grant here (PostgreSQL 16 asks for ADMIN OPTION): the one who restores does.
    const [, grant = '', group = '', member = ''] = membership.exec(statement) ?? [];
    return [group, member].some((one) => missing.has(unquoted(one))) ? [grant] : [];
  });
  return { names: [...missing], sql: sql.map((statement) => `${statement};\n`).join('') };
}

function unquoted(text: string): string {
  return text.startsWith('"') ? text.slice(1, -1).replaceAll('""', '"') : text;
}
