import { InvalidArgumentError, Option, type Command } from 'commander';
import { backupRecipients, createBackup, listBackups, pruneBackups, verifyBackup } from '../../vm/commands/backup.ts';
import type { BackupEntry } from '../../vm/backups/list.ts';
import { restoreBackup } from '../../vm/commands/restore-backup.ts';
import { AirdockError } from '../../errors.ts';
import { consent } from '../consent.ts';
import type { Act, CliContext } from '../context.ts';
import { directoryOf, hostOf } from '../host.ts';
import { addIdentityOption, identitiesOf, type IdentityFlags } from '../identity.ts';
import { backupText } from '../render/backup.ts';
import { planText } from '../render/plan.ts';

type Flags = { dir?: string };

export function declare(command: Command, act: Act): void {
  command.description(
    'Makes, lists, verifies, restores, encrypts and prunes backups of the database. An upgrade makes its own backup.',
  );
  const one = (name: string, description: string): Command =>
    command
      .command(name)
      .description(description)
      .option('--dir <directory>', 'the directory of the deployment (default: the current one)');
  one('create', 'Dumps the live database and reads the dump back in full. The application keeps running.').action(act(create));
  one('list', 'Shows every backup, oldest first, and whether it is proven.').action(act(list));
  addIdentityOption(
    one(
      'verify',
      'Restores a backup into a throwaway server of the same image, on a network of its own, and compares every table. If all are equal, the backup is proven. The deployment is not touched.',
    ),
  )
    .argument('[id]', 'the backup (default: the newest)')
    .action(act(verify));
  addIdentityOption(
    one(
      'restore',
      'Puts the database of a backup in place, under the current release: it is restored beside the live database and compared while users are served, then swapped in. The previous database is kept.',
    ),
  )
    .argument('<id>', 'the backup')
    .option('--yes', 'do not ask')
    .action(act(restore));
  one(
    'recipients',
    'Shows or sets who can read backups made from now on: recipients of age (age1…). Backups made by upgrades are encrypted too.',
  )
    .argument('[recipient...]', 'the complete list; it replaces the earlier one')
    .option('--none', 'stop encrypting backups')
    .action(act(recipients));
  one('prune', 'Removes older backups. The newest proven backup always stays.')
    .addOption(new Option('--keep <number>', 'how many to keep').argParser(positive).makeOptionMandatory())
    .action(act(prune));
}

async function create(context: CliContext, flags: Flags): Promise<void> {
  const made = await createBackup(await hostOf(context), where(context, flags));
  context.result(made, `${backupText(made.backup)}\nNext: airdock backup verify ${made.backup.id}\n`);
}

async function list(context: CliContext, flags: Flags): Promise<void> {
  const found = await listBackups(await hostOf(context), where(context, flags));
  context.result(found, found.backups.length === 0 ? 'There is no backup here.\n' : lines(found.backups));
}

async function verify(context: CliContext, id: string | undefined, flags: Flags & IdentityFlags): Promise<void> {
  const options = { ...where(context, flags), ...(await identitiesOf(context, flags)), id };
  const done = await verifyBackup(await hostOf(context), options);
  context.result(done, `${backupText(done.backup)}\n`);
}

async function restore(context: CliContext, id: string, flags: Flags & IdentityFlags & { yes?: true }): Promise<void> {
  const options = { ...where(context, flags), ...(await identitiesOf(context, flags)), id };
  const done = await restoreBackup(await hostOf(context), options, (plan) =>
    consent(context, planText(plan), 'Restore?', flags.yes),
  );
  const kept = done.keptAs === null ? '' : `The previous database is kept as ${done.keptAs}.\n`;
  context.result(done, `${backupText(done.backup)}\n${done.current} is serving with this database. ${kept}`);
}

async function recipients(context: CliContext, named: string[], flags: Flags & { none?: true }): Promise<void> {
  if (flags.none && named.length > 0) throw new AirdockError('USAGE', 'give either --none or recipients, not both');
  const change = flags.none || named.length > 0 ? { recipients: named } : {};
  const done = await backupRecipients(await hostOf(context), { ...where(context, flags), ...change });
  const recipientLines = done.recipients.map((recipient) => `  ${recipient}\n`).join('');
  context.result(
    done,
    recipientLines === '' ? 'Backups are not encrypted.\n' : `Backups are encrypted to these recipients:\n${recipientLines}`,
  );
}

async function prune(context: CliContext, flags: Flags & { keep: number }): Promise<void> {
  const done = await pruneBackups(await hostOf(context), { ...where(context, flags), keep: flags.keep });
  const removed = done.removed.length === 0 ? 'Nothing was removed.' : `Removed: ${done.removed.join(', ')}`;
  context.result(done, `${removed}\n${lines(done.kept)}`);
}

function where(context: CliContext, { dir }: Flags): { directory: string } {
  return { directory: directoryOf(context, dir) };
}

function lines(entries: readonly BackupEntry[]): string {
  return entries.map((entry) => `${backupText(entry)}\n`).join('');
}

function positive(text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= 1) return number;
  throw new InvalidArgumentError('It must be a whole number, at least 1.');
}
