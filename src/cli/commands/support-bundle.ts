import type { Command } from 'commander';
import { resolve } from 'node:path';
import { makeSupportBundle, type SupportBundle } from '../../vm/commands/support-bundle.ts';
import type { Act, CliContext } from '../context.ts';
import { directoryOf, hostOf } from '../host.ts';

type Flags = { dir?: string; output?: string };

export function declare(command: Command, act: Act): void {
  command
    .description(
      'Writes one file for the vendor: status, history, reports, versions and the last lines of the logs. It contains no value of .env and no secret of the compose files; check it before you send it.',
    )
    .option('--dir <directory>', 'the directory of the deployment (default: the current one)')
    .option('--output <file>', 'default: airdock-support-DATE.tar.gz here')
    .action(act(run));
}

async function run(context: CliContext, { dir, output }: Flags): Promise<void> {
  const date = context.now().toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-');
  const file = resolve(context.cwd, output ?? `airdock-support-${date}.tar.gz`);
  const made = await makeSupportBundle(await hostOf(context), { directory: directoryOf(context, dir), output: file });
  context.result(made, textOf(made));
}

function textOf({ path, files, missing }: SupportBundle): string {
  const lines = [
    `${path}: ${files.length} files`,
    ...missing.map(({ file, why }) => `  without ${file}: ${why}`),
    'It contains no values of .env. Check it before you send it: tar -xzf FILE',
  ];
  return `${lines.join('\n')}\n`;
}
