import type { OpenBundle } from '../../bundle/reader.ts';
import type { TransactionRecord } from '../state/journal.ts';
import type { NamedImage } from '../images/names.ts';
import type { Plan } from '../plan/document.ts';
import type { Release } from '../store/release.ts';
import type { ManagedSite } from '../site/site.ts';

/** One transaction while it runs, or while recovery takes it up again (docs/adr/0001-transaction.md). */
export type Transaction = {
  site: ManagedSite;
  record: TransactionRecord;
  plan: Plan;
  /** The release that it goes to. */
  target: Release;
  names: readonly NamedImage[];
  /** Only in the process that began it. */
  bundle?: OpenBundle | undefined;
  /** Ends a step that is under way. Undo and recovery have none: they are never interrupted by it. */
  signal?: AbortSignal | undefined;
};
