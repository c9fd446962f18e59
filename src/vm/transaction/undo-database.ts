import { dropDatabase, unfence } from '../../data/postgres/swap/admin.ts';
import { swapBack } from '../../data/postgres/swap/swap.ts';
import { errorText } from '../../errors.ts';
import { emptyCache } from '../backups/redis.ts';
import { codeContainersOf, removeCodeContainers } from '../services/code-containers.ts';
import type { TransactionRecord } from '../state/journal.ts';
import { readEnvOrEmpty, type ManagedSite } from '../site/site.ts';
import { nextName } from '../../data/postgres/swap/swap-names.ts';
import { postgresServerOf, quiesceOf, swapOf } from '../database/swap-record.ts';
import { waitForDatabase } from '../database/wait.ts';

/** The undo of docs/adr/0008-irreversible.md: the old database gets the live name back before old code starts. */

const step = 'undo-database';

/** Part 1: removes the code containers of both releases. A repeated undo does not touch an old version that runs again. */
export async function removeCode(site: ManagedSite, record: TransactionRecord): Promise<void> {
  if (!quiesceOf(site, record.id) || site.journal.has(record.id, step, 'done')) return;
  const opened = await removeCodeContainers(site, codeContainersOf(site, record));
  // somebody may have started it by hand, and users may have written: then the database must not be dropped
  if (opened && swapOf(site, record.id)) site.journal.record(record.id, step, 'intent', { opened });
}

/** Part 3: swaps the old database back; the files name the old release already. @throws UNDO_FAILED when an unknown database has the live name */
export async function swapDatabaseBack(site: ManagedSite, record: TransactionRecord): Promise<void> {
  const old = quiesceOf(site, record.id)?.live;
  if (!old || site.journal.has(record.id, step, 'done')) return;
  const server = await postgresServerOf(site, record);
  await waitForDatabase(site, server);
  const swap = swapOf(site, record.id);
  await swapBack(server, old, swap);
  if (swap) await emptyCacheIfAny(site, record);
  await unfence(server, old);
  site.journal.record(record.id, step, 'done', { summary: `${old.name} is the old database again` });
}

/** Empties the cache, because the new code may have filled it from the other database. A cache that does not answer gives a warning only. */
async function emptyCacheIfAny(site: ManagedSite, { from }: TransactionRecord): Promise<void> {
  const previous = from === null ? undefined : site.state.release(from)?.manifest;
  const env = await readEnvOrEmpty(site.directory);
  if (previous)
    await emptyCache(site, previous, env).catch((error: unknown) => {
      site.host.listener({ type: 'warning', text: errorText(error) });
    });
}

/** Part 6, when the old version serves: drops the database that this transaction made, or keeps it if users may have written to it. */
export async function dropOrKeepNext(site: ManagedSite, record: TransactionRecord): Promise<void> {
  if (!['copy', 'restore'].some((stepId) => site.journal.has(record.id, stepId, 'intent'))) return;
  const server = await postgresServerOf(site, record);
  const name = nextName(record.id);
  const swap = swapOf(site, record.id);
  if (!swap || !site.journal.has(record.id, step, 'intent')) return dropDatabase(server, name);
  const { next, nextSchemaRelease: schemaRelease } = swap;
  site.state.keepDatabase({
    ...next,
    release: record.to,
    schemaRelease,
    transaction: record.id,
    keptAt: site.host.clock().toISOString(),
    backup: null,
  });
  site.host.listener({
    type: 'warning',
    text: `somebody opened ${record.to} to users before it was good: what users wrote is kept in the database ${name}`,
  });
}
