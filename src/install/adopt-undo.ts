import { AirdockError } from '../errors.ts';
import type { TransactionRecord } from './journal.ts';
import type { ManagedSite } from './site.ts';

export async function undoAdoption(_site: ManagedSite, record: TransactionRecord): Promise<void> {
  throw new AirdockError('INTERNAL', `adoption ${record.id} cannot be undone yet`);
}
