import { reachedAfter } from '../../policy/reached.ts';
import { releaseOf, type ClusterRecord } from '../record/record.ts';
import type { KubernetesRelease } from '../record/site.ts';
import { end, type Running } from '../record/transaction.ts';
import { keptBy } from './swap.ts';

/**
 * Ends a transaction whose release is healthy: an install, an upgrade or a way back, by the airdock that began it or by `resume`.
 * @param revision helm's revision that serves now
 * @returns the database that was put aside, if there is one
 */
export async function endGood(
  site: KubernetesRelease,
  running: Running,
  revision: number | null,
): Promise<ClusterRecord['kept'][number] | undefined> {
  const { record, transaction } = running;
  const { kind, from, to, undo } = transaction;
  const cameBack = record.kept.find(({ oid }) => oid === undo?.next?.oid);
  // a way back that brought other data in: a kept database, a restored backup, or data that the operator put back
  const otherData = kind === 'rollback' && (undo?.live != null || transaction.class === 'irreversible');
  const schemaRelease = otherData ? (cameBack?.schemaRelease ?? to) : record.schemaRelease;
  const [aside] = keptBy(site, running, from ?? to);
  await end(
    site,
    running,
    'done',
    { revisions: { ...transaction.revisions, after: revision } },
    {
      current: to,
      ...reachedAfter({ ...record, schemaRelease }, releaseOf(record, to) ?? { version: to }),
      kept: [...record.kept.filter((one) => one !== cameBack), ...(aside ? [aside] : [])],
    },
  );
  return aside;
}
