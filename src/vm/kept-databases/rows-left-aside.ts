import path from 'node:path';
import type { Spool, TableDifference } from '../../data/postgres/compare/difference.ts';
import { countLeft, countSince } from '../../data/postgres/compare/rows-left-aside.ts';
import { differenceLines } from '../../data/postgres/compare/table-differences.ts';
import { asideName } from '../../data/postgres/swap/swap-names.ts';
import { AirdockError } from '../../errors.ts';
import { removeTree } from '../../io/files.ts';
import { postgresServerOfKept } from '../database/swap-record.ts';
import type { Plan } from '../plan/document.ts';
import { writeReport } from '../site/report.ts';
import type { ManagedSite } from '../site/site.ts';
import type { KeptDatabase } from '../state/state.ts';

/** Counts the rows that a rollback puts aside, for the plan and the report. The rows that were read are in `.airdock` meanwhile. */
const spoolFolder = ({ airdock }: ManagedSite): string => path.join(airdock, 'scratch-rows');

/** Removes the rows that this or a killed process stored. */
export function removeSpool(site: ManagedSite): Promise<void> {
  return removeTree(spoolFolder(site));
}

/**
 * Compares the current database with the kept one before the swap.
 * @param name the kept database that comes back
 * @returns the name that the next transaction gives to the current database; the rows that differ, null when they could not be counted
 * @throws INTERRUPTED
 */
export async function countBeforeSwap(
  site: ManagedSite,
  name: string,
): Promise<{ aside: Plan['aside']; since: Plan['since']; spool: Spool | undefined }> {
  const kept = keptWhere(site, (one) => one.name === name);
  const live = { ...(await postgresServerOfKept(site, kept)), signal: site.host.signal };
  const next = (site.journal.all().at(-1)?.id ?? 0) + 1;
  const seconds = Math.max(0, Math.round((site.host.clock().getTime() - Date.parse(kept.keptAt)) / 1000));
  const aside = { name: asideName(live.database, site.state.deployment()?.current ?? '', next), seconds };
  const comparison = await countSince(site.host.listener, live, kept, spoolFolder(site));
  return { aside, since: comparison?.rows ?? null, spool: comparison?.spool };
}

/** Counts the rows of the database that transaction `id` put aside, and adds them to its report. Null when that failed; it never throws. */
export async function countAfterSwap(site: ManagedSite, id: number, spool: Spool): Promise<TableDifference[] | null> {
  const { listener, signal } = site.host;
  const put = async () => {
    const aside = keptWhere(site, (kept) => kept.transaction === id);
    return { server: { ...(await postgresServerOfKept(site, aside)), signal }, aside };
  };
  return countLeft(listener, spool, put, async (rows, { name }) => {
    const lines = differenceLines(rows).map((line) => `  ${line}`);
    await writeReport(site, id, undefined, [`left aside in ${name}, compared with the database that came back:`, ...lines]);
  });
}

function keptWhere(site: ManagedSite, which: (kept: KeptDatabase) => boolean): KeptDatabase {
  const kept = site.state.keptDatabases().find(which);
  if (!kept) throw new AirdockError('INTERNAL', 'the records do not have the database that was put aside');
  return kept;
}
