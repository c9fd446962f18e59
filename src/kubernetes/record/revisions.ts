import type { Revision } from '../../io/helm-releases.ts';
import type { ClusterRecord, ClusterTransaction } from './record.ts';

/** Questions to helm's history. All lists are oldest first. */

/** The revision that helm calls deployed; undefined before the first install. */
export function deployedOf(revisions: readonly Revision[]): Revision | undefined {
  return revisions.findLast(({ status }) => status === 'deployed');
}

/**
 * The revision whose release is in place. That is the deployed one; or, after exit 7, the failed one above it, which was left in place
 * with its database, while helm still calls the one before it deployed.
 */
export function servingOf(revisions: readonly Revision[], record: ClusterRecord | undefined): Revision | undefined {
  const deployed = deployedOf(revisions);
  const last = record?.transactions.findLast(({ outcome }) => outcome !== null && outcome !== 'undone');
  if (last?.outcome !== 'failed') return deployed;
  const failed = revisions.findLast(({ status, app_version: version }) => status === 'failed' && version === record?.current);
  return failed && failed.revision > (deployed?.revision ?? 0) ? failed : deployed;
}

/** The revisions that ran: helm can go back to these. */
export function ranOf(revisions: readonly Revision[]): Revision[] {
  return revisions.filter(({ status }) => status === 'superseded' || status === 'deployed');
}

/** helm's revision of a transaction; undefined when helm made none. Failed revisions from before the transaction do not count. */
export function madeBy(
  { revisions: { before, last }, to }: Pick<ClusterTransaction, 'revisions' | 'to'>,
  revisions: readonly Revision[],
): Revision | undefined {
  const lastBefore = last ?? before ?? 0;
  return revisions.findLast(({ revision, app_version: version }) => revision > lastBefore && version === to);
}
