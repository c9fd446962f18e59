import path from 'node:path';
import { databases, maintenanceOf } from '../../../data/postgres/swap/admin.ts';
import { readBackup } from '../../../data/postgres/backup/stored-backup.ts';
import { AirdockError } from '../../../errors.ts';
import { backupsFolder } from '../../backups/list.ts';
import { checkedBackup, restoreAndCompare } from '../../../data/postgres/backup/prove.ts';
import { nextName } from '../../../data/postgres/swap/swap-names.ts';
import { postgresServerOf } from '../../database/swap-record.ts';
import type { Progress } from '../../../events.ts';
import type { Prepared } from '../run-step.ts';
import type { Transaction } from '../transaction.ts';
import { secondsFor, type Step } from '../step.ts';

export const restore = {
  id: 'restore',
  stop: false,
  estimate: ({ restore: from, database }) => 5 + secondsFor(from?.bytes ?? database?.bytes ?? 0, 60e6),
  prepare,
  run,
} satisfies Step;

/** Checks that the name is free: this transaction has not made the database yet, so it would be somebody else's. */
async function prepare({ site, record }: Transaction): Promise<Prepared> {
  const name = nextName(record.id);
  if ((await databases(await postgresServerOf(site, record))).some((database) => database.name === name))
    throw new AirdockError('STEP_FAILED', `the server already has a database with the name ${name}, which this restore needs`, {
      hint: 'Nothing was stopped. The database may belong to an earlier deployment. If nobody needs it, rename or drop it by hand.',
    });
  return {};
}

/** Restores the backup as a new database beside the live one, and compares it, while users are served. */
async function run({ site, record, plan, signal }: Transaction, progress: Progress): Promise<string> {
  const id = plan.restore?.backup;
  if (!id) throw new AirdockError('INTERNAL', 'a restore needs a backup');
  const server = await postgresServerOf(site, record, signal);
  const backup = await checkedBackup(site, await readBackup(path.join(backupsFolder(site), id)), signal);
  const { restoredFingerprint: fingerprint } = await restoreAndCompare(
    site,
    { ...server, database: maintenanceOf(server.database) },
    backup,
    {
      name: nextName(record.id),
      applicationName: server.applicationName,
      signal,
      onProgress: progress,
    },
  );
  return `${id} restored beside the live database, and equal to the original: ${Object.keys(fingerprint.tables).length} tables`;
}
