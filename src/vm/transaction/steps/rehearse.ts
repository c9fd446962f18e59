import path from 'node:path';
import { checkedBackup, proveIn } from '../../../data/postgres/backup/prove.ts';
import { setPassword, migrateCopy } from '../../../data/postgres/migration/rehearsal.ts';
import type { DatabaseTarget } from '../../../data/postgres/server/server.ts';
import { readBackup } from '../../../data/postgres/backup/stored-backup.ts';
import { replaceFile } from '../../../io/files.ts';
import { durationText } from '../../../units.ts';
import { backupsFolder } from '../../backups/list.ts';
import { databaseAccess, environmentOf } from '../../database/access.ts';
import { parseEnvFile } from '../../env/file.ts';
import { rehearsalServices } from '../../scratch/rehearsal-services.ts';
import { withScratch, type Scratch } from '../../scratch/server.ts';
import { openStaged } from '../../staging/stage.ts';
import { snapshotFile } from '../../staging/switch-files.ts';
import { folderOf, sessionName, snapshotFolder, transactionLabel } from '../../state/names.ts';
import type { Progress } from '../../../events.ts';
import type { Transaction } from '../transaction.ts';
import { secondsFor, type Step } from '../step.ts';

export const rehearse = {
  id: 'rehearse',
  stop: false,
  estimate: ({ database }) => 5 + secondsFor(database?.bytes ?? 0, 60e6), // restore and comparison; how long the migration takes is not known yet
  run,
} satisfies Step;

/**
 * Restores the new backup on a throwaway server and compares it. If the release changes the schema, migrates it there with the new
 * release's image. The old version serves meanwhile, and the live database is not used (docs/adr/0007, "The rehearsal").
 */
async function run(transaction: Transaction, progress: Progress): Promise<string> {
  const { site, record, plan, target, signal } = transaction;
  const id = site.journal.all().find((one) => one.id === record.id)?.backup ?? null;
  if (id === null) return 'no database here';
  const stored = await readBackup(path.join(backupsFolder(site), id));
  const backup = await checkedBackup(site, stored, signal);
  const env = parseEnvFile((await snapshotFile(site, record.id, 'after', '.env')) ?? '', '.env');
  const migrates = plan.class !== 'none';
  const model = migrates
    ? await (await openStaged(site, snapshotFolder(site, record.id, 'after'), env.toBytes())).config()
    : undefined;
  const access = databaseAccess(target.manifest, env);
  const { service, database: name } = stored.metadata;
  const onCopyEnvironment = access?.url ? environmentOf(target.manifest, access, name, service) : {};
  const services = model ? rehearsalServices(target.manifest, model, env, onCopyEnvironment) : {};
  return withScratch(site, { service, ...services, signal }, async (scratch) => {
    const started = performance.now();
    const { database } = await proveIn(site, scratch, backup, { signal, onProgress: progress });
    const proven = `${id} proven in ${durationText(performance.now() - started)}`;
    if (!migrates) {
      site.journal.setRehearsed(record.id);
      return `${proven}; this release does not change the schema`;
    }
    await setPassword(scratch.server, stored.metadata.user, access?.password ?? '');
    return `${proven}; ${await migrateOnScratch(transaction, scratch, database)}`;
  });
}

async function migrateOnScratch(transaction: Transaction, scratch: Scratch, database: DatabaseTarget): Promise<string> {
  const { site, record, target, signal } = transaction;
  const { service, command } = target.manifest.migration;
  const log = path.join(folderOf(site, record.id), 'rehearse.log');
  const migrate = async (): Promise<{ exitCode: number; output: string }> => {
    const { exitCode, stdout, stderr } = await scratch.compose.run(service, command, {
      labels: transactionLabel(record.id),
      env: { PGAPPNAME: sessionName(record.id) },
      signal,
    });
    await replaceFile(log, stdout + stderr, { mode: 0o600 });
    site.journal.setRehearsed(record.id);
    return { exitCode, output: stdout + stderr };
  };
  return migrateCopy(database, target.manifest.version, migrate, log);
}
