import type { OpenBundle } from '../../bundle/reader.ts';
import type { TransactionRecord } from '../state/journal.ts';
import type { NamedImage } from '../images/names.ts';
import type { Plan } from '../plan/document.ts';
import type { Release } from '../store/release.ts';
import type { ManagedSite } from '../site/site.ts';

/** A transaction while it runs, or while recovery continues it (docs/adr/0001-transaction.md). */
export type Transaction = {
  site: ManagedSite;
  record: TransactionRecord;
  plan: Plan;
  /** The release that it goes to. */
  target: Release;
  names: readonly NamedImage[];
  /** Only in the process that began it. */
  bundle?: OpenBundle | undefined;
  /** Interrupts the running step. Undo and recovery have no signal, so they are never interrupted. */
  signal?: AbortSignal | undefined;
};
