import { sqlStatements } from './sql-statements.ts';

/**
 * The statements of `roles.sql` (pg_dumpall) that create the roles that a server lacks. Existing roles are not changed: their
 * passwords and rights belong to that server. Tablespaces, which older backups have too, are left out: they are paths of another
 * machine.
 */
export type MissingRoles = { names: string[]; sql: string };

const name = String.raw`"(?:[^"]|"")+"|[^\s";,]+`;
const createRole = new RegExp(`^CREATE ROLE (${name})$`);
/** ALTER ROLE x WITH …, ALTER ROLE x SET …, COMMENT ON ROLE x, SECURITY LABEL … ON ROLE x, GRANT SET ON PARAMETER p TO x. */
const aboutOneRole = [
  new RegExp(`^ALTER ROLE (${name}) `),
  new RegExp(`^COMMENT ON ROLE (${name}) `),
  new RegExp(`^SECURITY LABEL FOR (?:${name}) ON ROLE (${name}) `),
  new RegExp(`^GRANT .+ ON PARAMETER (?:${name}) TO (${name})`),
];
const membership = new RegExp(`^(GRANT (${name}) TO (${name})(?: WITH .*?)?)(?: GRANTED BY (?:${name}))?$`, 's');

export function missingRoles(script: string, existing: Iterable<string>): MissingRoles {
  const existingNames = new Set(existing);
  const statements = sqlStatements(script);
  const missing = new Set(
    statements
      .flatMap((statement) => (createRole.exec(statement) ?? []).slice(1).map(unquoted))
      .filter((role) => !existingNames.has(role)),
  );
  const sql = statements.flatMap((statement) => {
    if (statement.startsWith('SET ')) return [statement];
    const role =
      createRole.exec(statement)?.[1] ??
      aboutOneRole.map((pattern) => pattern.exec(statement)?.[1]).find((found) => found !== undefined);
    if (role !== undefined) return missing.has(unquoted(role)) ? [statement] : [];
    // Without GRANTED BY: the original grantor may lack the right here (PostgreSQL 16 requires ADMIN OPTION), so the restoring user grants.
    const [, grant = '', group = '', user = ''] = membership.exec(statement) ?? [];
    return [group, user].some((member) => missing.has(unquoted(member))) ? [grant] : [];
  });
  return { names: [...missing], sql: sql.map((statement) => `${statement};\n`).join('') };
}

function unquoted(text: string): string {
  return text.startsWith('"') ? text.slice(1, -1).replaceAll('""', '"') : text;
}
