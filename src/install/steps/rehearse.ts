import path from 'node:path';
import { literal, psql, type DatabaseTarget } from '../../database/server.ts';
import { shapeChanges, shapeOf } from '../../database/shape.ts';
import { readBackup } from '../../database/stored-backup.ts';
import { AirdockError } from '../../errors.ts';
import { replaceFile } from '../../io/files.ts';
import { durationText } from '../../units.ts';
import { backupsFolder } from '../backups.ts';
import { databaseAccess, environmentOf } from '../database-access.ts';
import { parseEnvFile } from '../env-file.ts';
import { lastMigration, lastWords } from '../../database/migration-output.ts';
import { checkedBackup, proveIn } from '../../database/prove.ts';
import { rehearsalServices } from '../rehearsal-services.ts';
import { withScratch, type Scratch } from '../scratch.ts';
import { openStaged } from '../stage.ts';
import { savedFile, sideFolder } from '../switch-files.ts';
import { folderOf, sessionName, transactionLabel, type Progress, type Transaction } from '../transaction.ts';

/**
 * The fresh backup on a server of its own: restored, compared, and, unless the release changes no schema, migrated by the new
 * release's image, while the old version serves (docs/adr/0007, "The rehearsal"). The live database is never connected to.
 */
export async function rehearse(transaction: Transaction, progress: Progress): Promise<string> {
  const { site, record, plan, target, signal } = transaction;
  const id = site.journal.all().find((one) => one.id === record.id)?.backup ?? null;
  if (id === null) return 'no database here';
  const stored = await readBackup(path.join(backupsFolder(site), id));
  const backup = await checkedBackup(site, stored, signal);
  const env = parseEnvFile((await savedFile(site, record.id, 'after', '.env')) ?? '', '.env');
  const migrates = plan.class !== 'none';
  const model = migrates
    ? await (await openStaged(site, sideFolder(site, record.id, 'after'), env.toBytes())).config()
    : undefined;
  const access = databaseAccess(target.manifest, env);
  const { service, database: name } = stored.metadata;
  const onCopy = access?.url ? environmentOf(target.manifest, access, name, service) : {};
  const services = model ? rehearsalServices(target.manifest, model, env, onCopy) : {};
  return withScratch(site, { service, ...services, signal }, async (scratch) => {
    const started = performance.now();
    const { database } = await proveIn(site, scratch, backup, { signal, onProgress: progress });
    const proven = `${id} proven in ${durationText(performance.now() - started)}`;
    if (!migrates) {
      site.journal.setRehearsed(record.id);
      return `${proven}; this release changes no schema`;
    }
    await letIn(scratch, stored.metadata.user, access?.password ?? '');
    return `${proven}; ${await migrateCopy(transaction, scratch, database)}`;
  });
}

/** With the password of `.env`: a backup by one who may not read passwords has none, and the server may keep them in another form. */
async function letIn({ server }: Scratch, user: string, password: string): Promise<void> {
  const input = Buffer.from(`ALTER ROLE :"user" PASSWORD ${literal(password)};`);
  await psql(server, 'RESTORE_FAILED', { input }, { user });
}

async function migrateCopy(transaction: Transaction, scratch: Scratch, database: DatabaseTarget): Promise<string> {
  const { site, record, target, signal } = transaction;
  const { service, command } = target.manifest.migration;
  const before = await shapeOf(database);
  const started = performance.now();
  const result = await scratch.compose.run(service, command, {
    labels: transactionLabel(record.id),
    env: { PGAPPNAME: sessionName(record.id) },
    ...(signal ? { signal } : {}),
  });
  const took = durationText(performance.now() - started);
  const output = result.stdout + result.stderr;
  const log = path.join(folderOf(site, record.id), 'rehearse.log');
  await replaceFile(log, output, { mode: 0o600 });
  site.journal.setRehearsed(record.id);
  if (result.exitCode !== 0) throw failed(target.manifest.version, output, log, result.exitCode);
  const changes = shapeChanges(before, await shapeOf(database));
  return [
    `the migration took ${took}`,
    ...(changes.length === 0 ? ['no table, column or number of rows changed'] : changes),
  ].join('\n');
}

function failed(version: string, output: string, log: string, exitCode: number): AirdockError {
  const migration = lastMigration(output);
  const what = migration === undefined ? `the migration of ${version}` : `migration ${migration} of ${version}`;
  return new AirdockError('MIGRATION_FAILED', `${what} failed on a copy of your data (exit ${exitCode}): ${lastWords(output)}`, {
    hint: `Put right the rows that it names, and run the same command again; or ask the vendor for a fixed release. What it printed is in ${log}.`,
    details: { rehearsal: true, migration: migration ?? null, log },
  });
}
