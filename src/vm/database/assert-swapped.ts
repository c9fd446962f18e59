import { liveNameHolder, type LiveNameHolder } from '../../data/postgres/swap/swap.ts';
import { AirdockError } from '../../errors.ts';
import type { TransactionRecord } from '../state/journal.ts';
import type { ManagedSite } from '../site/site.ts';
import { postgresServerOf, swapOf } from './swap-record.ts';
import { waitForDatabase } from './wait.ts';

/** Which database has the live name, by OID (docs/adr/0008). `none`: the transaction has no swap, or has not reached it. */
export async function liveDatabase(site: ManagedSite, record: TransactionRecord): Promise<'none' | LiveNameHolder> {
  const swap = swapOf(site, record.id);
  if (!swap) return 'none';
  const server = await postgresServerOf(site, record);
  await waitForDatabase(site, server);
  return liveNameHolder(server, swap);
}

/** Checks, before the point of no return, that the swap is in effect. @throws STEP_FAILED */
export async function assertSwapped(site: ManagedSite, record: TransactionRecord): Promise<void> {
  const holder = await liveDatabase(site, record);
  if (holder === 'none' || holder === 'new') return;
  throw new AirdockError('STEP_FAILED', 'the live database is not the one that was put in place: somebody renamed it', {
    hint: 'Look at SELECT oid, datname FROM pg_database before you try again.',
  });
}
