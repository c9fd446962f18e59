import { z } from 'zod';
import { tableDifferences } from '../../data/postgres/compare/table-differences.ts';
import { migrationClass } from '../../bundle/manifest.ts';
import { findingSchema } from '../../policy/finding.ts';
import { stepIds } from './order.ts';

/**
 * The plan as data: printed by `airdock plan`, shown before `install` asks, followed by it, saved with the transaction.
 * Sizes in bytes, times in seconds; every time is an estimate.
 */

export const planDocument = z.strictObject({
  schema: z.literal('airdock.plan/1'),
  kind: z.enum(['install', 'upgrade', 'rollback']),
  product: z.string(),
  directory: z.string(),
  project: z.string(),
  from: z.string().nullable(),
  to: z.string(),
  class: z.enum([...migrationClass.options, 'unknown']),
  summaries: z.array(z.string()),
  signer: z.string().nullable(),
  created: z.string(),
  images: z.array(
    z.strictObject({ reference: z.string(), name: z.string(), private: z.boolean(), action: z.enum(['present', 'tag', 'load']) }),
  ),
  read: z.strictObject({ blobs: z.int(), bytes: z.int() }),
  load: z.strictObject({ bytes: z.int() }),
  database: z.strictObject({ service: z.string(), name: z.string(), server: z.string(), bytes: z.int() }).nullable(),
  /** The one that it makes; `proven`: by the rehearsal, before anything is touched. Plans of an older airdock have no such member. */
  backup: z
    .strictObject({
      proven: z.boolean(),
      /** What it takes along besides the database: services of Redis, named volumes (docs/adr/0011). */
      with: z.array(z.string()).default([]),
    })
    .nullable()
    .optional(),
  env: z.strictObject({
    add: z.array(z.string()),
    generated: z.array(z.string()),
    missing: z.array(z.string()),
    changed: z.array(z.string()),
  }),
  disk: z.array(
    z.strictObject({
      path: z.string(),
      needs: z.array(z.strictObject({ what: z.string(), bytes: z.int() })),
      total: z.int(),
      free: z.int(),
    }),
  ),
  steps: z.array(z.strictObject({ id: z.enum(stepIds), stop: z.boolean(), estimate: z.number() })),
  recreated: z.array(z.string()),
  /** Services that only one of the two releases has. */
  removed: z.array(z.string()),
  added: z.array(z.string()),
  /** The database that a rollback puts in place; null when the database stays. */
  restore: z
    .strictObject({
      /** A kept database (a rename), or a backup (a restore): one of them. */
      kept: z.string().nullable(),
      backup: z.string().nullable(),
      release: z.string(),
      schemaRelease: z.string(),
      at: z.string(),
      proven: z.boolean(),
      /** An identity is needed to restore it. */
      encrypted: z.boolean().default(false),
      /** What the backup's database takes when it is restored; of a kept one, and in plans of an older airdock, there is none. */
      bytes: z.int().optional(),
    })
    .nullable()
    .default(null),
  /** The name that the current database gets then, and how many seconds ago the other one was put aside. */
  aside: z.strictObject({ name: z.string(), seconds: z.int() }).nullable().default(null),
  /** Rows in which the current database differs from the other one; null when nothing is put aside, or the rows could not be counted. */
  since: tableDifferences.nullable().default(null),
  /** What becomes of Redis when another database comes in; null when none does, or there is no Redis. */
  redis: z
    .strictObject({ service: z.string(), effect: z.enum(['emptied', 'stays']) })
    .nullable()
    .default(null),
  /** An irreversible migration lies on the way, and airdock saves nothing of the data: the release declares no database. */
  unsavedData: z.boolean().default(false),
  rollback: z.string(),
  findings: z.array(findingSchema),
});
export type Plan = z.infer<typeof planDocument>;
