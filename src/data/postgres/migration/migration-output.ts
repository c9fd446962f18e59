/** What the tools that migrate print, for the sentence that a person reads first. */

/** Django: `Applying notes.0003_slug...`; Alembic: `Running upgrade a1 -> b2, text`; Rails: `== 2024 AddSlug: migrating`. */
const begun = [/^Applying (\S+?)\.\.\./, /Running upgrade \S* ?-> (\S+?),?(?: |$)/, /^== (\d+ \w+): migrating/];

/** The migration that began last: the one that failed, when one did. Undefined when nobody says its name. */
export function lastMigration(output: string): string | undefined {
  for (const line of linesOf(output).toReversed())
    for (const pattern of begun) {
      const name = pattern.exec(line)?.[1];
      if (name !== undefined) return name;
    }
  return undefined;
}

/** What was applied, by its name or by the whole line, when the tool says it line by line. */
export function appliedIn(output: string): string[] {
  return linesOf(output).flatMap((line) => {
    if (!/\bOK$/.test(line)) return [];
    return [lastMigration(line) ?? line.replace(/[.\s]*OK$/, '')];
  });
}

/**
 * The last lines that say something: a traceback ends with its reason. Of an error of the database what it said itself,
 * without the class that the program's driver wraps it in.
 */
export function lastWords(output: string): string {
  const last = linesOf(output).slice(-2);
  return last.map((line) => line.replace(/^(?:[A-Za-z_]\w*\.)+[A-Za-z_]\w*: (?=.)/, '')).join(' — ') || 'it printed nothing';
}

function linesOf(output: string): string[] {
  return output
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}
