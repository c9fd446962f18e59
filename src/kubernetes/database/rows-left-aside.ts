import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TableDifference } from '../../data/postgres/compare/difference.ts';
import { countLeft, countSince } from '../../data/postgres/compare/rows-left-aside.ts';
import type { DatabaseTarget } from '../../data/postgres/server/server.ts';
import type { DatabaseId, PostgresServer } from '../../data/postgres/swap/admin.ts';
import type { KubernetesRelease } from '../record/site.ts';

/** The rows that a rollback leaves aside. */
export type RowsSince = {
  /** Rows that the live database has and the kept one has not; null when they could not be counted. */
  since: TableDifference[] | null;
  /** Rows of the database that was live before the swap and is fenced now; null when the rows could not be counted. */
  left(aside: DatabaseId): Promise<TableDifference[] | null>;
};

/**
 * Runs `work` with the rows, or with undefined where no database is kept. The kept rows lie in a folder of this machine as long as
 * `work` lasts, with 26 bytes each.
 */
export async function withRowsSince<T>(
  site: KubernetesRelease,
  { tools, service, user, database }: DatabaseTarget,
  kept: DatabaseId | undefined,
  work: (rows: RowsSince | undefined) => Promise<T>,
): Promise<T> {
  if (!kept) return work(undefined);
  const { listener, signal } = site.host;
  const server: PostgresServer = { tools, service, user, database, applicationName: 'airdock-compare', signal };
  const folder = await mkdtemp(path.join(tmpdir(), 'airdock-rows-'));
  try {
    const made = await countSince(listener, server, kept, path.join(folder, 'kept'));
    return await work({
      since: made?.rows ?? null,
      left: async (aside) => made && countLeft(listener, made.spool, async () => ({ server, aside })),
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
