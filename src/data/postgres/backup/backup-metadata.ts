import { z } from 'zod';
import { databaseLocale } from '../server/locale.ts';
import { sealedSuffix } from './sealed.ts';

/** As it lies there; an encrypted one has `.age` behind its name. */
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
  /** Of the database on disk (pg_database_size); absent in backups of an older airdock. */
  databaseBytes: z.int().nonnegative().optional(),
  /** Of the database; backups of older airdocks have none. */
  locale: databaseLocale.optional(),
  /** The release that wrote the data. */
  release: z.string().optional(),
  /** The highest release whose migrations the schema may have; the release itself in backups of older airdocks. */
  schemaRelease: z.string().optional(),
  /** Recipients of age who can read its files; absent when they are not encrypted (docs/adr/0010). */
  encryptedTo: z.array(z.string()).min(1).optional(),
  /** `pg_dump -Fc` */
  dump: z.strictObject(file('dump')),
  /** Of the snapshot of the dump, the sequences as dumped; backups of older airdocks have none. */
  fingerprint: z.strictObject(file('fingerprint.json')).optional(),
  /** `pg_dumpall --roles-only`. `passwords`: false when the user may not read them. */
  roles: z.strictObject({ ...file('roles.sql'), passwords: z.boolean() }),
  /** Settings and rights of the database, which a restore under another name would lose. */
  settings: z.strictObject(file('settings.sql')),
  /** Of the live database's Redis, when it is declared as state (docs/adr/0011): an RDB file. */
  redis: z.strictObject(file('redis.rdb')).optional(),
  /** Of declared volumes: a tar of what is in there. */
  volumes: z
    .array(z.strictObject({ name: z.string(), ...file('tar'), file: z.string().regex(/^volume-[A-Za-z0-9._-]+\.tar(\.age)?$/) }))
    .optional(),
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

/** What its database takes when it is restored. An older airdock did not write it down: a dump is rarely an eighth. */
export function restoredBytes({ databaseBytes, dump }: Pick<BackupMetadata, 'databaseBytes' | 'dump'>): number {
  return databaseBytes ?? dump.bytes * 8;
}
