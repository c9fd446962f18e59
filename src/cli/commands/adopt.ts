import type { Command } from 'commander';
import { adopt } from '../../vm/commands/adopt.ts';
import type { Adoption } from '../../vm/adopt/document.ts';
import { consent } from '../consent.ts';
import type { Act, CliContext } from '../context.ts';
import { directoryOf, hostOf } from '../host.ts';
import { addTrustOption, at, namedTrust, type TrustOptions } from '../trust.ts';

type Flags = TrustOptions & { dir?: string; project?: string; bundle?: string; yes?: true };

export function declare(command: Command, act: Act): void {
  addTrustOption(command)
    .description(
      'Takes over a deployment that was made by hand: the running version becomes a release in the store, and edits to the compose file are kept in compose.adopted.yaml. Nothing restarts. Run it again to take over later edits.',
    )
    .option('--dir <directory>', 'the directory of the deployment (default: the current one)')
    .option('--project <name>', 'the compose project (default: the one that runs from the directory)')
    .option('--bundle <file>', 'the bundle of the version that runs; without it the images come from the engine')
    .option('--yes', 'do not ask')
    .action(act(run));
}

async function run(context: CliContext, flags: Flags): Promise<void> {
  const options = {
    directory: directoryOf(context, flags.dir),
    trust: await namedTrust(context, flags),
    project: flags.project,
    bundle: flags.bundle === undefined ? undefined : at(context, flags.bundle),
  };
  const done = await adopt(await hostOf(context), options, (found) => consent(context, foundText(found), 'Adopt?', flags.yes));
  const name = done.product ?? done.project;
  context.result(
    done,
    done.changed
      ? `adopted as ${name} ${done.version}. airdock rollback can go back to it from now on.\n`
      : `${name} ${done.version} is managed already, and nothing differs. Nothing was changed.\n`,
  );
}

export function foundText(found: Adoption): string {
  const { edits, files, containers, volumes } = found;
  const lines = [
    `${found.product ?? 'a deployment'} runs here as project "${found.project}", ${count(containers.length, 'container')}, VERSION ${found.version}${volumes.length === 0 ? '' : `, volumes ${volumes.join(' ')}`}`,
  ];
  if (edits.length > 0)
    lines.push(
      `  your compose file differs from the release's in ${count(edits.length, 'place')}, kept in compose.adopted.yaml:`,
    );
  for (const { path, change, value } of edits)
    lines.push(`    ${path}${change === 'removed' ? ' (removed)' : `: ${value ?? '(not shown: it looks like a secret)'}`}`);
  if (found.source === 'bundle' && edits.length === 0) lines.push(`  your compose file is the release's`);
  for (const warning of found.warnings) lines.push(`  ! ${warning}`);
  lines.push(`  nothing is restarted; docker compose reads ${files.join(', ')}`);
  return `${lines.join('\n')}\n`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
