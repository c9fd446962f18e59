import { z } from 'zod';
import type { TableDifference } from './difference.ts';

/**
 * The tables that differ between a database that is put aside and the one that comes back, with their schema, quoted as in SQL.
 * `gained`: rows that only the database put aside has. `changed`: rows with other values. `lost`: rows that only the other one has.
 */
export const tableDifferences = z.array(
  z.strictObject({
    table: z.string(),
    gained: z.int().nonnegative(),
    changed: z.int().nonnegative(),
    lost: z.int().nonnegative(),
  }),
);

const width = 72;

/** `notes +1,204 ~88 -3    members +2`: gained, changed, lost. The schema `public` is left out. */
export function differenceLines(rows: readonly TableDifference[]): string[] {
  const lines: string[] = [];
  for (const { table, gained, changed, lost } of rows) {
    const signs = [['+', gained] as const, ['~', changed] as const, ['-', lost] as const].filter(([, count]) => count > 0);
    const numbers = signs.map(([sign, count]) => sign + count.toLocaleString('en-US'));
    const text = [table.replace(/^public\./, ''), ...numbers].join(' ');
    const last = lines.at(-1);
    if (last !== undefined && last.length + text.length + 4 <= width) lines[lines.length - 1] = `${last}    ${text}`;
    else lines.push(text);
  }
  return lines.length === 0 ? ['no table differs'] : lines;
}
