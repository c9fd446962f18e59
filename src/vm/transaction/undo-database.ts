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

/** The way back of docs/adr/0008-irreversible.md, "Undo": the old database has the live name before old code starts. */

const step = 'undo-database';

/** Part 1: no code of either release is left. Once the old version was brought up again, a repeated undo leaves it alone. */
export async function stopCode(site: ManagedSite, record: TransactionRecord): Promise<void> {
  if (!quiesceOf(site, record.id) || site.journal.has(record.id, step, 'done')) return;
  const opened = await removeCodeContainers(site, codeContainersOf(site, record));
  // a person may have started it, and users written: what they wrote into is not to be dropped
  if (opened && swapOf(site, record.id)) site.journal.record(record.id, step, 'intent', { opened });
}

/** Part 3: the files name the old release already. @throws UNDO_FAILED when the live name has a database that nobody put there */
export async function databaseBack(site: ManagedSite, record: TransactionRecord): Promise<void> {
  const old = quiesceOf(site, record.id)?.live;
  if (!old || site.journal.has(record.id, step, 'done')) return;
  const server = await postgresServerOf(site, record);
  await waitForDatabase(site, server);
  const swap = swapOf(site, record.id);
  await swapBack(server, old, swap);
  if (swap) await emptyCacheIfAny(site, record);
  await unfence(server, old);
  site.journal.record(record.id, step, 'done', { summary: `${old.name} is the database that it was` });
}

/** What is being taken back may have filled it from the other database. A cache that does not answer keeps nobody from serving. */
async function emptyCacheIfAny(site: ManagedSite, { from }: TransactionRecord): Promise<void> {
  const previous = from === null ? undefined : site.state.release(from)?.manifest;
  const env = await readEnvOrEmpty(site.directory);
  if (previous)
    await emptyCache(site, previous, env).catch((error: unknown) => {
      site.host.listener({ type: 'warning', text: errorText(error) });
    });
}

/** Part 5, when the old version serves: what this transaction made is dropped, unless users may have written to it. */
export async function clearNext(site: ManagedSite, record: TransactionRecord): Promise<void> {
  if (!['copy', 'restore'].some((made) => site.journal.has(record.id, made, 'intent'))) return;
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
    text: `somebody opened ${record.to} to users while it was not good yet: what they wrote is kept in the database ${name}`,
  });
}
