import { differenceLines } from '../../data/postgres/compare/table-differences.ts';
import { durationText } from '../../units.ts';
import type { Plan } from './document.ts';

/** The text about what a rollback across an irreversible migration does to the databases. */

const keptAside: [string, string] = ['kept aside', 'the current database: what was written since the backup stays in it'];

/** Lines as pairs of a label and a text; a continued line has an empty label. Empty when the database stays. */
export function restoreLines({ restore, aside, since }: Pick<Plan, 'restore' | 'aside' | 'since'>): [string, string][] {
  if (!restore) return [];
  const at = restore.at.slice(0, 16).replace('T', ' ');
  const comes =
    restore.backup === null
      ? `the database of ${restore.release}, kept since ${at} UTC, by a rename`
      : `the backup ${restore.backup} of ${restore.release}, ${at} UTC (${restore.proven ? 'proven' : 'unproven until it is restored'}), by a restore beside the current one${restore.encrypted ? '; encrypted: --identity FILE' : ''}`;
  if (!aside) return [['comes back', comes], ...(restore.backup === null ? [] : [keptAside])];
  const holds = `it holds what was written in the ${durationText(aside.seconds * 1000)} since`;
  return [
    ['comes back', comes],
    ['kept aside', `the current database, as ${aside.name}: ${holds}`],
    ...(since ? differenceLines(since) : ['these rows could not be counted']).map((line): [string, string] => ['', `  ${line}`]),
  ];
}
