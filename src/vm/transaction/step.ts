import type { PlannedStep } from '../plan/plan.ts';
import type { StepId } from '../plan/order.ts';
import type { StepWork } from './run-step.ts';
import type { Transaction } from './transaction.ts';

/** A step: what the plan shows, and what the runner does. */
export type Step = { id: StepId } & PlannedStep & StepWork<Transaction>;

/** Seconds for an estimate. @param perSecond bytes a second */
export function secondsFor(bytes: number, perSecond: number): number {
  return Math.round((bytes / perSecond) * 10) / 10;
}
