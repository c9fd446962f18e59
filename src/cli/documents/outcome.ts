import { z } from 'zod';
import { tableDifferences } from '../../data/postgres/compare/table-differences.ts';

const recovered = z
  .strictObject({
    transaction: z.int(),
    kind: z.enum(['install', 'upgrade', 'rollback', 'adopt']),
    to: z.string(),
    outcome: z.enum(['done', 'undone', 'rolled-back']),
  })
  .nullable();

const outcome = z.strictObject({
  schema: z.enum(['airdock.install/1', 'airdock.rollback/1']),
  /** The release that serves now. */
  current: z.string(),
  from: z.string().nullable(),
  class: z.string().nullable(),
  /** False when the release was current already. */
  changed: z.boolean(),
  /** An interrupted transaction that was finished or undone first. */
  recovered,
  transaction: z.int().nullable(),
  /** Measured seconds by step. */
  seconds: z.record(z.string(), z.number()),
});
export type OutcomeDocument = z.infer<typeof outcome>;
export const installDocument = outcome.extend({ schema: z.literal('airdock.install/1') });
export const rollbackDocument = outcome.extend({
  schema: z.literal('airdock.rollback/1'),
  /** By table, how the previous database differs from the one that was put back; null when no older one was put back, or the rows could not be counted. */
  leftAside: tableDifferences.nullable(),
});

export const resumeDocument = z.strictObject({ schema: z.literal('airdock.resume/1'), recovered });
export type ResumeDocument = z.infer<typeof resumeDocument>;
