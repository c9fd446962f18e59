import { z } from 'zod';
import type { Compose } from '../io/compose.ts';

/** `metadata.json` of a backup. */
export const backupMetadata = z.strictObject({
  schema: z.literal('airdock.backup/1'),
  id: z.string(),
  createdAt: z.iso.datetime(),
  database: z.string(),
  user: z.string(),
  service: z.string(),
  serverVersion: z.string(),
  release: z.string().optional(),
  dump: z.strictObject({ file: z.literal('dump'), format: z.literal('custom'), bytes: z.int().positive(), sha256: z.string() }),
  /** False when the user may not read passwords: roles were dumped without. */
  rolePasswords: z.boolean(),
  /** The dump was read back in full; a restore has not proven it yet. */
  readBack: z.literal(true),
  proven: z.boolean(),
  seconds: z.number(),
});
export type BackupMetadata = z.infer<typeof backupMetadata>;

export type BackupOptions = {
  compose: Compose;
  service: string;
  user: string;
  database: string;
  /** Created, mode 0700; must not exist. Removed when anything fails. */
  directory: string;
  applicationName: string;
  release?: string;
  signal?: AbortSignal;
  onProgress?: (bytes: number, total?: number) => void;
};
export type Backup = { dumpPath: string; bytes: number; sha256: string; seconds: number };

/** @throws AirdockError BACKUP_FAILED */
export declare function backupDatabase(options: BackupOptions): Promise<Backup>;

export type DatabaseTarget = Pick<BackupOptions, 'compose' | 'service' | 'user' | 'database'>;

/** Bytes, by pg_database_size. */
export declare function databaseSize(target: DatabaseTarget): Promise<number>;

/** Ends the sessions with that application_name (what a killed airdock left running); how many. */
export declare function endSessions(target: DatabaseTarget, applicationName: string): Promise<number>;
