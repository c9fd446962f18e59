import { fence, unfence } from '../../../data/postgres/swap/admin.ts';
import { postgresServerOf, quiesceOf, swapOf } from '../../database/swap-record.ts';
import { waitForDatabase } from '../../database/wait.ts';
import { bringUp, removeServices } from '../../services/bring-up.ts';
import type { ManagedSite } from '../../site/site.ts';
import type { TransactionRecord } from '../../state/journal.ts';
import { shutServices } from '../shut-services.ts';
import type { Step } from '../step.ts';
import type { Transaction } from '../transaction.ts';

export const up = {
  id: 'up',
  stop: true,
  estimate: () => 5,
  run,
} satisfies Step;

async function run(transaction: Transaction): Promise<string> {
  const { site, record, target, plan, signal } = transaction;
  const closed = shutServices(transaction);
  const scale = quiesceOf(site, record.id)?.services ?? {};
  await openDatabase(site, record);
  const services = await bringUp(site, await site.compose(), target.manifest, { without: closed, scale, signal });
  if (plan.removed.length > 0) await removeServices(site, plan.removed);
  const shut = closed.length === 0 ? '' : `, not yet ${closed.join(', ')}`;
  return `${services.length} services${shut}${plan.removed.length === 0 ? '' : `, removed ${plan.removed.join(', ')}`}`;
}

/** Opens the swapped database: the files now name the release that it belongs to (docs/adr/0008-irreversible.md). */
async function openDatabase(site: ManagedSite, record: TransactionRecord): Promise<void> {
  const swap = swapOf(site, record.id);
  if (!swap) return;
  const server = await postgresServerOf(site, record);
  await waitForDatabase(site, server);
  await fence(server, swap.live.name);
  await unfence(server, { name: swap.live.name, oid: swap.next.oid });
}
