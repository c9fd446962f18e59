import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { PostgresServer, DatabaseId } from '../../data/postgres/swap/admin.ts';
import { countedStep } from '../../data/postgres/compare/counted-step.ts';
import { compareWithSpool, spoolRows, type TableDifference } from '../../data/postgres/compare/difference.ts';
import { openFor } from '../../data/postgres/swap/open-for.ts';
import type { DatabaseTarget } from '../../data/postgres/server/server.ts';
import type { KubernetesRelease } from '../record/site.ts';

/** Which rows a rollback leaves aside (docs/adr/0008-irreversible.md, "What is left aside"), in a cluster. */

export type RowsSince = {
  /** What the live database has and the kept one has not; null when it could not be found out. */
  since: TableDifference[] | null;
  /** The same of a database that was live until now, and is fenced; null as above. */
  left(aside: DatabaseId): Promise<TableDifference[] | null>;
};

/** Undefined where no database is kept. Its rows are in a folder of this machine as long as `work` lasts, 26 bytes each. */
export async function withRowsSince<T>(
  site: KubernetesRelease,
  { tools, service, user, database }: DatabaseTarget,
  kept: DatabaseId | undefined,
  work: (rows: RowsSince | undefined) => Promise<T>,
): Promise<T> {
  if (!kept) return work(undefined);
  const live: PostgresServer = { tools, service, user, database, applicationName: 'airdock-compare', signal: site.host.signal };
  const folder = await mkdtemp(path.join(tmpdir(), 'airdock-rows-'));
  try {
    const made = await countedStep(site.host.listener, 'compare', async () => {
      const spool = await openFor(live, kept, () => spoolRows({ ...live, database: kept.name }, live, path.join(folder, 'kept')));
      return { spool, rows: await compareWithSpool(spool, live) };
    });
    site.host.signal.throwIfAborted();
    return await work({
      since: made?.rows ?? null,
      async left(aside) {
        if (!made) return null;
        const there = { ...live, database: aside.name };
        const counted = await countedStep(site.host.listener, 'left aside', async () => ({
          rows: await openFor(live, aside, () => compareWithSpool(made.spool, there)),
        }));
        return counted?.rows ?? null;
      },
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
