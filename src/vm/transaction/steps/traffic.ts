import { quiesceOf } from '../../database/swap-record.ts';
import { bringUp } from '../../services/bring-up.ts';
import type { Step } from '../step.ts';
import type { Transaction } from '../transaction.ts';

export const traffic = {
  id: 'traffic',
  stop: false,
  estimate: () => 1,
  run,
} satisfies Step;

/** Starts the services for users and schedules. From here on nothing goes back automatically (docs/adr/0008-irreversible.md). */
async function run({ site, record, target }: Transaction): Promise<string> {
  const scale = quiesceOf(site, record.id)?.services ?? {};
  await bringUp(site, await site.compose(), target.manifest, { scale });
  return `${target.manifest.traffic.join(', ')} are up`;
}
