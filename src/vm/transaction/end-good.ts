import { reachedAfter } from '../../policy/reached.ts';
import type { Transaction } from './transaction.ts';

/** What ran well becomes what nothing goes below, and a target for a way back. Inside of a commit. */
export function endGood({ site, record, target }: Pick<Transaction, 'site' | 'record' | 'target'>): void {
  const { state, journal } = site;
  const { manifest } = target;
  state.updateDeployment(reachedAfter(state.deployment(), manifest));
  state.markGood(manifest.version, site.host.clock().toISOString());
  journal.end(record.id, 'done');
}
