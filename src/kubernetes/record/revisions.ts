import type { Revision } from '../../io/helm-releases.ts';
import type { ClusterRecord, ClusterTransaction } from './record.ts';

/** Of helm's history, oldest first. */

/** The one that helm calls deployed; undefined before the first install. */
export function deployedOf(revisions: readonly Revision[]): Revision | undefined {
  return revisions.findLast(({ status }) => status === 'deployed');
}

/**
 * The one whose release is in place: the deployed one, or the failed one above it that was left with its database (exit 7), for
 * helm goes on to call the one before it deployed.
 */
export function servingOf(revisions: readonly Revision[], record: ClusterRecord | undefined): Revision | undefined {
  const deployed = deployedOf(revisions);
  const last = record?.transactions.findLast(({ outcome }) => outcome !== null && outcome !== 'undone');
  if (last?.outcome !== 'failed') return deployed;
  const left = revisions.findLast(({ status, app_version: version }) => status === 'failed' && version === record?.current);
  return left && left.revision > (deployed?.revision ?? 0) ? left : deployed;
}

/** Those that ran: what helm can go back to. */
export function ranOf(revisions: readonly Revision[]): Revision[] {
  return revisions.filter(({ status }) => status === 'superseded' || status === 'deployed');
}

/** What helm made of a transaction; undefined as long as it made nothing. Failed revisions of before it are none of its own. */
export function madeBy(
  { revisions: { before, last }, to }: Pick<ClusterTransaction, 'revisions' | 'to'>,
  revisions: readonly Revision[],
): Revision | undefined {
  const known = last ?? before ?? 0;
  return revisions.findLast(({ revision, app_version: version }) => revision > known && version === to);
}
