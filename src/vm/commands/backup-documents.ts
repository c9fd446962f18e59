import { z } from 'zod';
import { backupEntry } from '../backups/list.ts';

/** The JSON documents of `airdock backup …`. */
export const backupCreateDocument = z.strictObject({
  schema: z.literal('airdock.backup-create/1'),
  backup: backupEntry,
  /** Duration of dump and read-back. */
  seconds: z.number(),
});
export type BackupCreated = z.infer<typeof backupCreateDocument>;

export const backupListDocument = z.strictObject({
  schema: z.literal('airdock.backup-list/1'),
  /** Oldest first. */
  backups: z.array(backupEntry),
});
export type BackupList = z.infer<typeof backupListDocument>;

export const backupVerifyDocument = z.strictObject({
  schema: z.literal('airdock.backup-verify/1'),
  backup: backupEntry,
  /** Numbers of the restored database, which equals the original. */
  tables: z.int(),
  rows: z.int(),
  /** From the start of the throwaway server to the result. */
  seconds: z.number(),
});
export type BackupVerified = z.infer<typeof backupVerifyDocument>;

export const backupRestoreDocument = z.strictObject({
  schema: z.literal('airdock.backup-restore/1'),
  backup: backupEntry,
  /** The release, which did not change. */
  current: z.string(),
  /** Name of the database that was live before. */
  keptAs: z.string().nullable(),
  transaction: z.int(),
  /** Measured seconds by step. */
  seconds: z.record(z.string(), z.number()),
});
export type BackupRestored = z.infer<typeof backupRestoreDocument>;

export const backupPruneDocument = z.strictObject({
  schema: z.literal('airdock.backup-prune/1'),
  removed: z.array(z.string()),
  kept: z.array(backupEntry),
});
export type BackupPruned = z.infer<typeof backupPruneDocument>;

export const backupRecipientsDocument = z.strictObject({
  schema: z.literal('airdock.backup-recipients/1'),
  /** age recipients that backups are encrypted to; empty when backups are not encrypted. */
  recipients: z.array(z.string()),
});
export type BackupRecipients = z.infer<typeof backupRecipientsDocument>;
