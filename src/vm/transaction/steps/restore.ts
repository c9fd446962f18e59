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

/** A database of that name is somebody else's: this transaction has not made one yet. */
async function prepare({ site, record }: Transaction): Promise<Prepared> {
  const name = nextName(record.id);
  if ((await databases(await postgresServerOf(site, record))).some((one) => one.name === name))
    throw new AirdockError('STEP_FAILED', `the server has a database ${name} already, which this restore needs the name of`, {
      hint: 'Nothing was stopped. Is it of an earlier deployment here? Rename or drop it by hand, when nobody needs it.',
    });
  return {};
}

/** The backup as a new database beside the live one, compared with what was backed up, while everything serves. */
async function run({ site, record, plan, signal }: Transaction, progress: Progress): Promise<string> {
  const id = plan.restore?.backup;
  if (!id) throw new AirdockError('INTERNAL', 'a restore needs a backup');
  const server = await postgresServerOf(site, record, signal);
  const backup = await checkedBackup(site, await readBackup(path.join(backupsFolder(site), id)), signal);
  const { restoredFingerprint: found } = await restoreAndCompare(
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
  return `${id} is restored beside the live database, and equal: ${Object.keys(found.tables).length} tables`;
}
