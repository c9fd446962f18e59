/** What children of airdock carry in their environment: a killed airdock's `docker compose` is found by it. */
export const transactionVariable = 'AIRDOCK_TRANSACTION';

/** What is under way: a transaction by its id, or work that is none. */
type Work = number | 'backup' | 'scratch';

export function transactionMark(site: { airdock: string }, work: Work): string {
  return `${site.airdock}#${work}`;
}
