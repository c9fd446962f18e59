import type { Command } from 'commander';
import { readHistory, type History } from '../../vm/commands/history.ts';
import type { Act, CliContext } from '../context.ts';
import { directoryOf, hostOf } from '../host.ts';

export function declare(command: Command, act: Act): void {
  command
    .description('Shows every transaction of this deployment: what, when, by whom, how it ended.')
    .option('--dir <directory>', 'the directory of the deployment (default: the current one)')
    .action(act(run));
}

async function run(context: CliContext, flags: { dir?: string }): Promise<void> {
  const history = await readHistory(await hostOf(context), { directory: directoryOf(context, flags.dir) });
  context.result(history, textOf(history));
}

function textOf({ history }: History): string {
  if (history.length === 0) return 'Nothing was done here yet.\n';
  const rows = history.map(
    ({ id, startedAt, kind, from, to, class: pathClass, outcome, backup, backupState, rehearsed, operator }) =>
      `${String(id).padStart(4)}  ${startedAt.slice(0, 19)}Z  ${kind.padEnd(8)} ${`${from ?? '-'} -> ${to}`.padEnd(18)} ${pathClass.padEnd(13)} ${outcome.padEnd(11)} ${backup === null ? '' : `backup ${backup} (${backupState ?? 'removed'})`}${kind === 'upgrade' && !rehearsed ? '  not rehearsed' : ''}  ${operator}`,
  );
  return `${rows.join('\n')}\n`;
}
