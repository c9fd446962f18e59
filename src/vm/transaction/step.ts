import type { PlannedStep } from '../plan/plan.ts';
import type { StepId } from '../plan/order.ts';
import type { StepWork } from './run-step.ts';
import type { Transaction } from './transaction.ts';

/** One step, whole: what the plan shows of it, and what the runner does. */
export type Step = { id: StepId } & PlannedStep & StepWork<Transaction>;

/** For an estimate: so many bytes, so many of them a second. */
export function secondsFor(bytes: number, perSecond: number): number {
  return Math.round((bytes / perSecond) * 10) / 10;
}
