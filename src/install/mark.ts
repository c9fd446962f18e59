/** What children of a transaction carry in their environment: a killed airdock's `docker compose` is found by it. */
export const transactionVariable = 'AIRDOCK_TRANSACTION';

export function transactionMark(site: { airdock: string }, id: number): string {
  return `${site.airdock}#${id}`;
}
