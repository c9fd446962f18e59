import type { TableDifference } from '../data/postgres/compare/difference.ts';
import type { Plan } from '../vm/plan/document.ts';
import type { Recovered } from '../vm/transaction/recover.ts';
import { differenceLines } from '../data/postgres/compare/table-differences.ts';
import type { Finished } from '../vm/transaction/run.ts';
import type { OutcomeDocument, ResumeDocument } from './documents/outcome.ts';

export type { ResumeDocument };

type Done = {
  command: 'install' | 'rollback';
  version: string;
  plan: Plan | undefined;
  recovered: Recovered | undefined;
  /** Undefined when there was nothing to do. */
  finished: Finished | undefined;
  leftAside?: TableDifference[] | null;
};

export function outcomeDocument({ command, version, plan, recovered, finished }: Done): OutcomeDocument {
  return {
    schema: `airdock.${command}/1`,
    current: version,
    from: plan?.from ?? null,
    class: plan?.class ?? null,
    changed: finished !== undefined,
    recovered: recovered ?? null,
    transaction: finished?.transaction ?? null,
    seconds: finished?.seconds ?? {},
  };
}

export function outcomeText({ version, plan, recovered, finished, leftAside }: Done): string {
  const before = recovered ? recoveredText(recovered) : '';
  if (!finished) return `${before}${version} is current already. Nothing was changed.\n`;
  const back = plan?.from && plan.from !== version ? `To go back: airdock rollback ${plan.from}\n` : '';
  const aside = leftAside
    ? `What differs in the previous database, ${plan?.aside?.name}:\n${differenceLines(leftAside)
        .map((line) => `  ${line}\n`)
        .join('')}`
    : '';
  return `${before}${plan?.product} ${version} is serving.\n${aside}${back}`;
}

export function recoveredText({ transaction, kind, to, outcome }: Recovered): string {
  const what = { done: 'was finished', undone: 'was undone; nothing had been switched', 'rolled-back': 'was rolled back' }[
    outcome
  ];
  return `Transaction ${transaction} (${kind} ${to}) had been interrupted and ${what}.\n`;
}
