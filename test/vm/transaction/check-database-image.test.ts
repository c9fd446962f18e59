import { expect, test } from 'vitest';
import { assertDatabaseImageFits } from '../../../src/vm/transaction/check-database-image.ts';
import type { Transaction } from '../../../src/vm/transaction/transaction.ts';

/** One that brings another image of its database; whoever looks at more of it than plan and journal is told. */
function transaction(journal: readonly string[]): Transaction {
  const site = {
    journal: { has: (_id: number, step: string, state: string) => journal.includes(`${step}:${state}`) },
    get directory(): string {
      throw new Error('it was looked at');
    },
  };
  const plan = { steps: [{ id: 'load' }, { id: 'database-service' }] };
  return { site, plan, record: { id: 3 }, target: { manifest: {} } } as unknown as Transaction;
}

test('checked before the switch', async () => {
  await expect(assertDatabaseImageFits(transaction([]))).rejects.toThrow('it was looked at');
});

test('not again when recovery repeats the load after the switch: the live database may be fenced', async () => {
  await expect(assertDatabaseImageFits(transaction(['switch:intent']))).resolves.toBeUndefined();
});
