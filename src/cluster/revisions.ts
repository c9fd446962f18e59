import type { Revision } from '../io/helm-releases.ts';

/** Of helm's history, oldest first. */

/** The one whose pods run; undefined before the first install. */
export function deployedOf(revisions: readonly Revision[]): Revision | undefined {
  return revisions.findLast(({ status }) => status === 'deployed');
}

/** Those that ran: what helm can go back to. */
export function ranOf(revisions: readonly Revision[]): Revision[] {
  return revisions.filter(({ status }) => status === 'superseded' || status === 'deployed');
}
