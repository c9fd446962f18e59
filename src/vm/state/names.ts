import path from 'node:path';

/** Environment variable of airdock's child processes, by which recovery finds the `docker compose` of a killed airdock. */
export const transactionVariable = 'AIRDOCK_TRANSACTION';

/** The current work: a transaction by its id, or work outside a transaction. */
type Work = number | 'backup' | 'scratch';

export function workTag(site: { airdock: string }, work: Work): string {
  return `${site.airdock}#${work}`;
}
/** `.airdock/transactions/ID` */
export function folderOf(site: { airdock: string }, id: number): string {
  return path.join(site.airdock, 'transactions', String(id));
}
/** The label of the containers that a transaction starts. */
export function transactionLabel(id: number): Record<string, string> {
  return { 'airdock.transaction': String(id) };
}
/** application_name of a transaction's database sessions. */
export function sessionName(id: number): string {
  return `airdock-${id}`;
}
/**
 * `compose.yaml` and `.env`, before and after a transaction. Both versions are saved before the switch commits, so that both
 * directions copy saved files and compute nothing (docs/adr/0001-transaction.md, "What is saved first").
 */
export type Place = { directory: string; airdock: string };
export type Snapshot = 'before' | 'after';
export function snapshotFolder(place: Place, id: number, side: Snapshot): string {
  return path.join(folderOf(place, id), side);
}
