import { backedUpElsewhere } from './saved-elsewhere-option.ts';
import type { Command } from 'commander';
import type { BundleOptions } from '../vm/commands/install.ts';
import type { CliContext } from './context.ts';
import { addEnvOptions, envInputs, type EnvOptions } from './env-inputs.ts';
import { directoryOf } from './host.ts';
import { addTrustOption, at, namedTrust, type TrustOptions } from './trust.ts';

/** The options that `plan` and `install` share. */
export type BundleFlags = TrustOptions &
  EnvOptions & {
    dir?: string;
    project?: string;
    allowDowngrade?: true;
    dataIsSavedElsewhere?: true;
    discardLocal?: true;
    rehearsal: boolean;
  };

export function addBundleOptions(command: Command): Command {
  addTrustOption(command.argument('<bundle>'))
    .option('--dir <directory>', 'the directory of the deployment (default: the current one)')
    .option('--project <name>', 'the compose project at a first install (default: the name of the directory)')
    .option('--allow-downgrade', 'install a version older than one that ran here')
    .addOption(backedUpElsewhere())
    .option('--no-rehearsal', 'do not restore the backup and try the migration on the copy first (the history records it)')
    .option('--discard-local', 'undo changes made by hand to compose.yaml and VERSION');
  return addEnvOptions(command);
}

export async function bundleOptions(context: CliContext, bundle: string, flags: BundleFlags): Promise<BundleOptions> {
  return {
    directory: directoryOf(context, flags.dir),
    bundle: at(context, bundle),
    trust: await namedTrust(context, flags),
    inputs: await envInputs(context, flags),
    project: flags.project,
    allowDowngrade: flags.allowDowngrade,
    dataIsSavedElsewhere: flags.dataIsSavedElsewhere,
    discardLocal: flags.discardLocal,
    rehearse: flags.rehearsal,
  };
}
