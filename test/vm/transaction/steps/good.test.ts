import { mkdir } from 'node:fs/promises';
import { expect, test } from 'vitest';
import type { ManagedSite } from '../../../../src/vm/site/site.ts';
import { openJournal } from '../../../../src/vm/state/journal.ts';
import { openState } from '../../../../src/vm/state/open-state.ts';
import { good } from '../../../../src/vm/transaction/steps/good.ts';
import type { Transaction } from '../../../../src/vm/transaction/transaction.ts';
import { temporaryFolder } from '../../../helpers/bundle.ts';
import { facts, running, planOf } from '../../../helpers/plan-facts.ts';

/** @returns the schema on record after a way back 0.4.0 -> `to` became good */
async function schemaAfter(to: string, target: Parameters<typeof facts>[1]): Promise<string | null | undefined> {
  await using folder = await temporaryFolder();
  const airdock = folder.file('.airdock');
  await mkdir(airdock, { mode: 0o700 });
  const clock = () => new Date('2026-11-25T02:14:00Z');
  const state = openState(airdock, '1.4.0');
  try {
    state.createDeployment({ product: 'notes', project: 'notes', endpoint: 'unix:///x' });
    const deployment = running({ current: '0.4.0', schemaRelease: '0.4.0', highestGood: '0.4.0' });
    state.updateDeployment({ current: to, schemaRelease: '0.4.0', highestGood: '0.4.0' });
    const journal = openJournal(state, clock);
    const look = facts({ kind: 'rollback', deployment, dataIsSavedElsewhere: true }, { version: to, ...target });
    const plan = planOf(look);
    expect(plan.findings).toEqual([]);
    const site = { state, journal, host: { clock } } as unknown as ManagedSite;
    const record = journal.begin({ kind: 'rollback', from: '0.4.0', to, class: plan.class, operator: 'root', program: '1.4.0' });
    const transaction = { site, record, plan, target: { manifest: look.target } } as unknown as Transaction;
    state.commit(() => good.commit(transaction));
    return state.deployment()?.schemaRelease;
  } finally {
    state.close();
  }
}

test('a way back by code alone leaves the schema; data that the operator put back brings its own', async () => {
  expect(await schemaAfter('0.4.0', {})).toBe('0.4.0');
  expect(await schemaAfter('0.3.0', { database: 'none' })).toBe('0.3.0');
});
