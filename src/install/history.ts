import path from 'node:path';
import { z } from 'zod';
import type { Host } from './host.ts';
import type { TransactionRecord } from './journal.ts';
import { notADeployment } from './rollback.ts';
import { lookAtSite } from './site.ts';

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
      operator: z.string(),
      rehearsed: z.boolean(),
      error: z.string().nullable(),
    }),
  ),
});
export type History = z.infer<typeof historyDocument>;

/** Every transaction, oldest first. @throws NOT_A_DEPLOYMENT */
export async function readHistory(host: Host, options: { directory: string }): Promise<History> {
  return lookAtSite(host, options, async (_site, records) => {
    if (!records) throw notADeployment(path.resolve(options.directory));
    return { schema: 'airdock.history/1', history: records.journal.all().map(rowOf) };
  });
}

function rowOf(record: TransactionRecord): History['history'][number] {
  const { direction: _direction, program: _program, outcome, ...shown } = record;
  return { ...shown, outcome: outcome ?? 'open', rehearsed: false };
}
