import { z } from 'zod';
import { databaseLocale } from '../server/locale.ts';
import { sealedSuffix } from './sealed.ts';

/** A file of the backup; the name of an encrypted one ends with `.age`. */
const file = (name: string) => ({
  file: z.enum([name, name + sealedSuffix]),
  bytes: z.int().nonnegative(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});

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
  /** Size of the database on disk (pg_database_size); missing in backups of older airdocks. */
  databaseBytes: z.int().nonnegative().optional(),
  /** Missing in backups of older airdocks. */
  locale: databaseLocale.optional(),
  /** The release that wrote the data. */
  release: z.string().optional(),
  /** The highest release whose migrations the schema may have; the release itself in backups of older airdocks. */
  schemaRelease: z.string().optional(),
  /** age recipients who can read the files; missing when they are not encrypted (docs/adr/0010). */
  encryptedTo: z.array(z.string()).min(1).optional(),
  /** `pg_dump -Fc` */
  dump: z.strictObject(file('dump')),
  /** Taken in the snapshot of the dump, with the sequences from the dump; missing in backups of older airdocks. */
  fingerprint: z.strictObject(file('fingerprint.json')).optional(),
  /** `pg_dumpall --roles-only`. `passwords`: false when the user may not read them. */
  roles: z.strictObject({ ...file('roles.sql'), passwords: z.boolean() }),
  /** Settings and rights of the database, which a restore under another name would lose. */
  settings: z.strictObject(file('settings.sql')),
  /** An RDB file of the deployment's Redis, if it is declared as state (docs/adr/0011). */
  redis: z.strictObject(file('redis.rdb')).optional(),
  /** A tar of each declared volume. */
  volumes: z
    .array(z.strictObject({ name: z.string(), ...file('tar'), file: z.string().regex(/^volume-[A-Za-z0-9._-]+\.tar(\.age)?$/) }))
    .optional(),
  /** The dump was read back in full. */
  readBack: z.literal(true),
  /** A restore has been compared with the original. */
  proven: z.boolean(),
  provenAt: z.iso.datetime().optional(),
  /** When a check found that its files had changed. */
  damagedAt: z.iso.datetime().optional(),
  seconds: z.number().nonnegative(),
});
export type BackupMetadata = z.infer<typeof backupMetadata>;

/** Size of the restored database. Older airdocks did not record it: then eight times the dump, which is nearly always enough. */
export function restoredBytes({ databaseBytes, dump }: Pick<BackupMetadata, 'databaseBytes' | 'dump'>): number {
  return databaseBytes ?? dump.bytes * 8;
}
