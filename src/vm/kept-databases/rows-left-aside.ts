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

/** Which rows a rollback leaves aside, for the plan and for the report; what was read lies in `.airdock` meanwhile. */
const scratch = ({ airdock }: ManagedSite): string => path.join(airdock, 'scratch-rows');

/** What this or a killed process read. */
export function removeSpool(site: ManagedSite): Promise<void> {
  return removeTree(scratch(site));
}

/**
 * The name that the next transaction gives to the current database, and the rows in which it differs: null when that could not be
 * found out.
 * @param name the kept database that comes back
 * @throws INTERRUPTED
 */
export async function lookAside(
  site: ManagedSite,
  name: string,
): Promise<{ aside: Plan['aside']; since: Plan['since']; spool: Spool | undefined }> {
  const kept = keptBy(site, (one) => one.name === name);
  const live = { ...(await postgresServerOfKept(site, kept)), signal: site.host.signal };
  const next = (site.journal.all().at(-1)?.id ?? 0) + 1;
  const seconds = Math.max(0, Math.round((site.host.clock().getTime() - Date.parse(kept.keptAt)) / 1000));
  const aside = { name: asideName(live.database, site.state.deployment()?.current ?? '', next), seconds };
  const made = await countSince(site.host.listener, live, kept, scratch(site));
  return { aside, since: made?.rows ?? null, spool: made?.spool };
}

/** The rows of what transaction `id` put aside; into its report too. Null when they could not be counted, never an error. */
export async function countAside(site: ManagedSite, id: number, spool: Spool): Promise<TableDifference[] | null> {
  const { listener, signal } = site.host;
  const put = async () => {
    const aside = keptBy(site, (one) => one.transaction === id);
    return { server: { ...(await postgresServerOfKept(site, aside)), signal }, aside };
  };
  return countLeft(listener, spool, put, async (rows, { name }) => {
    const lines = differenceLines(rows).map((line) => `  ${line}`);
    await writeReport(site, id, undefined, [`left aside in ${name}, compared with the database that came back:`, ...lines]);
  });
}

function keptBy(site: ManagedSite, which: (kept: KeptDatabase) => boolean): KeptDatabase {
  const kept = site.state.keptDatabases().find(which);
  if (!kept) throw new AirdockError('INTERNAL', 'the database that was put aside is not on record');
  return kept;
}
