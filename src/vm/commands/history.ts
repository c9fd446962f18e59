import path from 'node:path';
import { z } from 'zod';
import { readBackups, type BackupEntry } from '../backups/list.ts';
import type { Host } from '../site/host.ts';
import type { TransactionRecord } from '../state/journal.ts';
import { notADeployment } from '../site/site.ts';
import { lookAtSite } from '../site/site.ts';

export const historyDocument = z.strictObject({
  schema: z.literal('airdock.history/1'),
  history: z.array(
    z.strictObject({
      id: z.int(),
      kind: z.enum(['install', 'upgrade', 'rollback', 'adopt']),
      from: z.string().nullable(),
      to: z.string(),
      class: z.string(),
      startedAt: z.string(),
      endedAt: z.string().nullable(),
      outcome: z.enum(['done', 'undone', 'rolled-back', 'open']),
      backup: z.string().nullable(),
      /** State of the backup; null when it was removed. */
      backupState: z.enum(['proven', 'unproven', 'damaged']).nullable(),
      operator: z.string(),
      rehearsed: z.boolean(),
      error: z.string().nullable(),
    }),
  ),
});
export type History = z.infer<typeof historyDocument>;

/** Every transaction, oldest first. @throws NOT_A_DEPLOYMENT */
export async function readHistory(host: Host, options: { directory: string }): Promise<History> {
  return lookAtSite(host, options, async (site, records) => {
    if (!records) throw notADeployment(path.resolve(options.directory));
    const backups = await readBackups(site);
    return { schema: 'airdock.history/1', history: records.journal.all().map((record) => rowOf(record, backups)) };
  });
}

function rowOf(record: TransactionRecord, backups: readonly BackupEntry[]): History['history'][number] {
  const { direction: _direction, program: _program, outcome, ...shown } = record;
  const backupState = backups.find(({ id }) => id === record.backup)?.state ?? null;
  return { ...shown, outcome: outcome ?? 'open', backupState };
}
