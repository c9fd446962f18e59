import { liveNameHolder, type LiveNameHolder } from '../../data/postgres/swap/swap.ts';
import { AirdockError } from '../../errors.ts';
import type { TransactionRecord } from '../state/journal.ts';
import type { ManagedSite } from '../site/site.ts';
import { postgresServerOf, swapOf } from './swap-record.ts';
import { waitForDatabase } from './wait.ts';

/** Which side the live name is on; `none`: this transaction swaps nothing, or has not come to it. By OID (docs/adr/0008). */
export async function databaseInPlace(site: ManagedSite, record: TransactionRecord): Promise<'none' | LiveNameHolder> {
  const swap = swapOf(site, record.id);
  if (!swap) return 'none';
  const server = await postgresServerOf(site, record);
  await waitForDatabase(site, server);
  return liveNameHolder(server, swap);
}

/** Before there is no way back any more. @throws STEP_FAILED */
export async function assertSwapped(site: ManagedSite, record: TransactionRecord): Promise<void> {
  const side = await databaseInPlace(site, record);
  if (side === 'none' || side === 'new') return;
  throw new AirdockError('STEP_FAILED', 'the live database is not the one that was put in place: somebody renamed it', {
    hint: 'Look at SELECT oid, datname FROM pg_database before you try again.',
  });
}
