import { copyDatabase } from '../../../data/postgres/swap/admin.ts';
import { nextName } from '../../../data/postgres/swap/swap-names.ts';
import { postgresServerOf } from '../../database/swap-record.ts';
import { secondsFor, type Step } from '../step.ts';
import type { Transaction } from '../transaction.ts';

export const copy = {
  id: 'copy',
  stop: true,
  estimate: ({ database }) => 1 + secondsFor(database?.bytes ?? 0, 1000e6),
  run,
} satisfies Step;

/** Copies the live database, for the migrations. */
async function run({ site, record, signal }: Transaction): Promise<string> {
  const server = await postgresServerOf(site, record, signal);
  const started = performance.now();
  await copyDatabase(server, server.database, nextName(record.id));
  return `${server.database} copied in ${((performance.now() - started) / 1000).toFixed(1)} s`;
}
