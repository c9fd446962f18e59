import type { TransactionRecord } from './journal.ts';
import type { ManagedSite } from './site.ts';

export declare function undoAdoption(site: ManagedSite, record: TransactionRecord): Promise<void>;
