import type { Command } from 'commander';
import { resume } from '../../vm/commands/resume.ts';
import type { Act, CliContext } from '../context.ts';
import { directoryOf, hostOf } from '../host.ts';
import { recoveredText, type ResumeDocument } from '../outcome.ts';

export function declare(command: Command, act: Act): void {
  command
    .description('Finishes or undoes a transaction that was interrupted: a power cut, a killed process. Safe to run at any time.')
    .option('--dir <directory>', 'the directory of the deployment (default: the current one)')
    .action(act(run));
}

async function run(context: CliContext, flags: { dir?: string }): Promise<void> {
  const recovered = await resume(await hostOf(context), { directory: directoryOf(context, flags.dir) });
  const document: ResumeDocument = { schema: 'airdock.resume/1', recovered: recovered ?? null };
  context.result(document, recovered ? recoveredText(recovered) : 'Nothing was interrupted.\n');
}
