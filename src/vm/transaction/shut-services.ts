import { quiesceOf } from '../database/swap-record.ts';
import { hasStep } from '../plan/order.ts';
import type { Transaction } from './transaction.ts';

/** Services that let users in, and that stay stopped until the step `traffic`. */
export function shutServices({ site, record, plan }: Transaction): string[] {
  return hasStep(plan, 'traffic') ? (quiesceOf(site, record.id)?.shut ?? []) : [];
}
