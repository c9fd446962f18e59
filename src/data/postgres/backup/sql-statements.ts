/**
 * The statements of a script of pg_dumpall, each without its semicolon. Comments and psql's own commands (`\restrict`,
 * `\connect`) are left out. Quoted names and literals, E'' literals too, may contain anything.
 */
export function sqlStatements(script: string): string[] {
  const statements: string[] = [];
  let statement = '';
  for (let at = 0; at < script.length;) {
    const rest = script.slice(at, at + 2);
    const comment = rest === '--';
    if (comment || (rest.startsWith('\\') && statement.trim() === '')) {
      const end = script.indexOf('\n', at);
      at = end === -1 ? script.length : end;
      continue;
    }
    const char = rest.charAt(0);
    if (char === ';') {
      if (statement.trim() !== '') statements.push(statement.trim());
      statement = '';
      at++;
      continue;
    }
    const end = char === "'" || char === '"' ? endOfQuoted(script, at, char === "'" && /\bE$/i.test(statement)) : at + 1;
    statement += script.slice(at, end);
    at = end;
  }
  return statements;
}

/** A doubled quote does not end the text (postgres: "4.1.2.1. String Constants"), nor does a quote after a backslash in E''. */
function endOfQuoted(script: string, start: number, escapes: boolean): number {
  const quote = script.charAt(start);
  for (let at = start + 1; at < script.length; at++) {
    if (escapes && script[at] === '\\') at++;
    else if (script[at] === quote) {
      if (script[at + 1] !== quote) return at + 1;
      at++;
    }
  }
  return script.length;
}
