import { reachedAfter } from '../../policy/reached.ts';
import type { Transaction } from './transaction.ts';

/** Records that the release is good: it raises the floors, and becomes a target for a rollback. Called inside a commit. */
export function endGood({ site, record, target }: Pick<Transaction, 'site' | 'record' | 'target'>): void {
  const { state, journal } = site;
  const { manifest } = target;
  state.updateDeployment(reachedAfter(state.deployment(), manifest));
  state.markGood(manifest.version, site.host.clock().toISOString());
  journal.end(record.id, 'done');
}
