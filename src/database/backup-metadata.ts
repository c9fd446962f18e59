import { z } from 'zod';
import { databaseLocale } from './locale.ts';

const file = { bytes: z.int().nonnegative(), sha256: z.string().regex(/^[0-9a-f]{64}$/) };

/** `metadata.json` of a backup: the last file that is written into its directory. */
export const backupMetadata = z.strictObject({
  schema: z.literal('airdock.backup/1'),
  /** The name of its directory. */
  id: z.string(),
  createdAt: z.iso.datetime(),
  database: z.string(),
  user: z.string(),
  service: z.string(),
  serverVersion: z.string(),
  /** Of the database on disk (pg_database_size); absent in backups of an older airdock. */
  databaseBytes: z.int().nonnegative().optional(),
  /** Of the database; backups of older airdocks have none. */
  locale: databaseLocale.optional(),
  /** The release that wrote the data. */
  release: z.string().optional(),
  /** The highest release whose migrations the schema may have; the release itself in backups of older airdocks. */
  schemaRelease: z.string().optional(),
  /** `pg_dump -Fc` */
  dump: z.strictObject({ file: z.literal('dump'), ...file }),
  /** Of the snapshot of the dump, the sequences as dumped; backups of older airdocks have none. */
  fingerprint: z.strictObject({ file: z.literal('fingerprint.json'), ...file }).optional(),
  /** `pg_dumpall --roles-only`. `passwords`: false when the user may not read them. */
  roles: z.strictObject({ file: z.literal('roles.sql'), ...file, passwords: z.boolean() }),
  /** Settings and rights of the database, which a restore under another name would lose. */
  settings: z.strictObject({ file: z.literal('settings.sql'), ...file }),
  /** The dump was read back in full. */
  readBack: z.literal(true),
  /** A restore has been compared with the original. */
  proven: z.boolean(),
  provenAt: z.iso.datetime().optional(),
  /** When its files were found to be no more what was written. */
  damagedAt: z.iso.datetime().optional(),
  seconds: z.number().nonnegative(),
});
export type BackupMetadata = z.infer<typeof backupMetadata>;
