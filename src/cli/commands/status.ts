import type { Command } from 'commander';
import { driftFixes } from '../../vm/plan/drift.ts';
import { readStatus, type Status } from '../../vm/commands/status.ts';
import type { Act, CliContext } from '../context.ts';
import { directoryOf, hostOf } from '../host.ts';
import { backupText } from '../render/backup.ts';

export function declare(command: Command, act: Act): void {
  command
    .description(
      'Shows what runs here, what a rollback can go back to, and what differs from the records (exit code 5 if anything differs).',
    )
    .option('--dir <directory>', 'the directory of the deployment (default: the current one)')
    .action(act(run));
}

async function run(context: CliContext, flags: { dir?: string }): Promise<number> {
  const status = await readStatus(await hostOf(context), { directory: directoryOf(context, flags.dir) });
  context.result(status, textOf(status));
  return status.drift.length > 0 ? 5 : 0;
}

function textOf(status: Status): string {
  const lines = [
    `${status.product ?? status.project} ${status.current ?? '(nothing installed)'}, project ${status.project}, ${status.directory}`,
  ];
  if (status.interrupted) {
    const { transaction, kind, to } = status.interrupted;
    lines.push(`  ! transaction ${transaction} (${kind} ${to}) is under way or was interrupted: airdock resume`);
  }
  for (const { service, image, state, health } of status.services)
    lines.push(`  ${service.padEnd(12)} ${(health === 'none' ? state : `${state}, ${health}`).padEnd(20)} ${image}`);
  for (const { version, origin, rollback } of status.releases)
    lines.push(`  release ${version.padEnd(10)} ${rollbackText[rollback]}${origin === 'adopted' ? ' (adopted)' : ''}`);
  for (const { name, release, keptAt, backup } of status.keptDatabases)
    lines.push(
      `  kept    ${name}, of ${release}, since ${keptAt.slice(0, 16)}Z, ${backup === null ? 'no dump of it yet' : `backup ${backup}`}`,
    );
  lines.push(...backupLines(status.backups));
  for (const { what, text } of status.drift) lines.push(`  ! ${what}: ${text}`);
  const fixes = [...new Set(status.drift.map(({ what }) => driftFixes[what]))];
  if (fixes.length > 0) lines.push(`Next: ${fixes.join('\n      ')}`);
  return `${lines.join('\n')}\n`;
}

const rollbackText: Record<Status['releases'][number]['rollback'], string> = {
  current: 'current',
  code: 'rollback: code only',
  database: 'database',
  'own-data': 'rollback: once you have put its data back',
  'never good': 'never good',
};

/** The newest backup, after the newest proven one when the newest is not proven. */
function backupLines(backups: Status['backups']): string[] {
  const newest = backups.at(-1);
  const proven = backups.findLast(({ state }) => state === 'proven');
  const entries = newest && proven && newest !== proven ? [proven, newest] : newest ? [newest] : [];
  return entries.map((entry) => `  backup  ${backupText(entry)}`);
}
