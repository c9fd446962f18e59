import { z } from 'zod';
import { tableDifferences } from '../../data/postgres/compare/table-differences.ts';
import { migrationClass } from '../../bundle/manifest.ts';
import { findingSchema } from '../../policy/finding.ts';
import { stepIds } from './order.ts';

/**
 * The plan as data. `airdock plan` prints it; `install` shows it, asks, and follows it; the transaction saves it. Sizes are in
 * bytes, times in seconds; every time is an estimate.
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
  /** The backup that the plan makes. `proven`: the rehearsal proves it before anything changes. Missing in plans of an older airdock. */
  backup: z
    .strictObject({
      proven: z.boolean(),
      /** What the backup contains besides the database: services of Redis, named volumes (docs/adr/0011). */
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
  /** Services that only the old release (`removed`) or only the new one (`added`) has. */
  removed: z.array(z.string()),
  added: z.array(z.string()),
  /** The database that a rollback puts in place; null when the database stays. */
  restore: z
    .strictObject({
      /** Either a kept database (a rename) or a backup (a restore). */
      kept: z.string().nullable(),
      backup: z.string().nullable(),
      release: z.string(),
      schemaRelease: z.string(),
      at: z.string(),
      proven: z.boolean(),
      /** The backup is encrypted, so an identity is needed. */
      encrypted: z.boolean().default(false),
      /** Size of the restored backup; missing for a kept database, and in plans of an older airdock. */
      bytes: z.int().optional(),
    })
    .nullable()
    .default(null),
  /** The name that the current database gets, and how many seconds ago the other database was put aside. */
  aside: z.strictObject({ name: z.string(), seconds: z.int() }).nullable().default(null),
  /** How the rows of the current database differ from the other one's; null when nothing is put aside, or the rows could not be counted. */
  since: tableDifferences.nullable().default(null),
  /** What happens to Redis when another database is put in place; null when none is, or there is no Redis. */
  redis: z
    .strictObject({ service: z.string(), effect: z.enum(['emptied', 'stays']) })
    .nullable()
    .default(null),
  /** The path has an irreversible migration, and airdock saves no data, because the release declares no database. */
  unsavedData: z.boolean().default(false),
  rollback: z.string(),
  findings: z.array(findingSchema),
});
export type Plan = z.infer<typeof planDocument>;
