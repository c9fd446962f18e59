/** Finds the names and the error in the output of migration tools. */

/** Django: `Applying notes.0003_slug...`; Alembic: `Running upgrade a1 -> b2, text`; Rails: `== 2024 AddSlug: migrating`. */
const begun = [/^Applying (\S+?)\.\.\./, /Running upgrade \S* ?-> (\S+?),?(?: |$)/, /^== (\d+ \w+): migrating/];

/** The migration that began last; after a failure it is the one that failed. Undefined when the output names none. */
export function lastMigration(output: string): string | undefined {
  for (const line of linesOf(output).toReversed())
    for (const pattern of begun) {
      const name = pattern.exec(line)?.[1];
      if (name !== undefined) return name;
    }
  return undefined;
}

/** The migrations that were applied, if the tool prints a line for each: their names, or else the whole lines. */
export function appliedIn(output: string): string[] {
  return linesOf(output).flatMap((line) => {
    if (!/\bOK$/.test(line)) return [];
    return [lastMigration(line) ?? line.replace(/[.\s]*OK$/, '')];
  });
}

/**
 * The last two lines with text: a traceback ends with its reason. The name of the exception class, which the database driver puts
 * before an error of the database, is left out.
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
