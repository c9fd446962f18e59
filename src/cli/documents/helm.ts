import { z } from 'zod';
import { migrationClass } from '../../bundle/manifest.ts';
import { tableDifferences } from '../../data/postgres/compare/table-differences.ts';

/** What `airdock helm` did. */

const where = { release: z.string(), namespace: z.string() };

export const helmUpgradeDocument = z.strictObject({
  schema: z.literal('airdock.helm-upgrade/1'),
  ...where,
  from: z.string().nullable(),
  current: z.string(),
  class: migrationClass,
  transaction: z.int(),
  backup: z.string().nullable(),
  /** The revision of helm. */
  revision: z.int().nullable(),
});

export const helmRollbackDocument = z.strictObject({
  schema: z.literal('airdock.helm-rollback/1'),
  ...where,
  from: z.string(),
  current: z.string(),
  transaction: z.int(),
  revision: z.int().nullable(),
  /** The name of the previous database, when an older one was put back. */
  keptDatabase: z.string().nullable(),
  /** By table, how the previous database differs from the one that was put back; null when no older one was put back, or the rows could not be counted. */
  leftAside: tableDifferences.nullable(),
});

export const helmResumeDocument = z.strictObject({
  schema: z.literal('airdock.helm-resume/1'),
  ...where,
  resumed: z
    .strictObject({
      transaction: z.int(),
      kind: z.enum(['install', 'upgrade', 'rollback']),
      to: z.string(),
      outcome: z.enum(['done', 'rolled-back']),
    })
    .nullable(),
});

export const helmPrepareDocument = z.strictObject({
  schema: z.literal('airdock.helm-prepare/1'),
  ...where,
  from: z.string().nullable(),
  to: z.string(),
  class: migrationClass,
  backup: z.string().nullable(),
  rehearsed: z.boolean(),
  /** YAML. */
  values: z.string(),
});
