import path from 'node:path';

/** What children of airdock carry in their environment: a killed airdock's `docker compose` is found by it. */
export const transactionVariable = 'AIRDOCK_TRANSACTION';

/** What is under way: a transaction by its id, or work that is none. */
type Work = number | 'backup' | 'scratch';

export function workTag(site: { airdock: string }, work: Work): string {
  return `${site.airdock}#${work}`;
}
/** `.airdock/transactions/ID` */
export function folderOf(site: { airdock: string }, id: number): string {
  return path.join(site.airdock, 'transactions', String(id));
}
/** The label that everything started by a transaction carries, and the name of its database sessions. */
export function transactionLabel(id: number): Record<string, string> {
  return { 'airdock.transaction': String(id) };
}
export function sessionName(id: number): string {
  return `airdock-${id}`;
}
/**
 * `compose.yaml` and `.env`, before and after a transaction. Both are saved before the switch commits, so that each
 * direction copies bytes and computes nothing anew (docs/adr/0001-transaction.md, "What is saved first").
 */
export type Place = { directory: string; airdock: string };
export type Snapshot = 'before' | 'after';
export function snapshotFolder(place: Place, id: number, side: Snapshot): string {
  return path.join(folderOf(place, id), side);
}
