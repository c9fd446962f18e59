import path from 'node:path';
import { differenceLines } from '../../data/postgres/compare/table-differences.ts';
import { countedStep } from '../../data/postgres/compare/counted-step.ts';
import { compareWithSpool, type Spool, spoolRows, type TableDifference } from '../../data/postgres/compare/difference.ts';
import { openFor } from '../../data/postgres/swap/open-for.ts';
import { AirdockError } from '../../errors.ts';
import { removeTree } from '../../io/files.ts';
import { postgresServerOfKept } from '../database/swap-record.ts';
import type { Plan } from '../plan/document.ts';
import { writeReport } from '../site/report.ts';
import type { ManagedSite } from '../site/site.ts';
import type { KeptDatabase } from '../state/state.ts';
import { asideName } from '../../data/postgres/swap/swap-names.ts';

/**
 * Which rows a rollback leaves aside: the database that comes back is read once, while it is kept and nobody writes to it, and
 * the one that goes is compared with that, before the operator agrees and when it is kept in its turn
 * (docs/adr/0008-irreversible.md, "What is left aside").
 */
const scratch = ({ airdock }: ManagedSite): string => path.join(airdock, 'scratch-rows');

/** What this or a killed process read. */
export function removeSpool(site: ManagedSite): Promise<void> {
  return removeTree(scratch(site));
}

/**
 * The name that the next transaction gives to today's database, and the rows in which it differs: null when that could not be
 * found out, which its step says and nothing else depends on.
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
  const made = await countedStep(site.host.listener, 'compare', async () => {
    const spool = await openFor(live, kept, () => spoolRows({ ...live, database: name }, live, scratch(site)));
    return { spool, rows: await compareWithSpool(spool, live) };
  });
  site.host.signal.throwIfAborted();
  return { aside, since: made?.rows ?? null, spool: made?.spool };
}

/** The rows of what transaction `id` put aside, which are final now; into its report too. Null as above, never an error. */
export async function countAside(site: ManagedSite, id: number, spool: Spool): Promise<TableDifference[] | null> {
  const made = await countedStep(site.host.listener, 'left aside', async () => {
    const kept = keptBy(site, (one) => one.transaction === id);
    const server = { ...(await postgresServerOfKept(site, kept)), signal: site.host.signal };
    const rows = await openFor(server, kept, () => compareWithSpool(spool, { ...server, database: kept.name }));
    const lines = differenceLines(rows).map((line) => `  ${line}`);
    await writeReport(site, id, undefined, [`left aside in ${kept.name}, compared with the database that came back:`, ...lines]);
    return { rows };
  });
  return made?.rows ?? null;
}

function keptBy(site: ManagedSite, which: (kept: KeptDatabase) => boolean): KeptDatabase {
  const kept = site.state.keptDatabases().find(which);
  if (!kept) throw new AirdockError('INTERNAL', 'the database that was put aside is not on record');
  return kept;
}
