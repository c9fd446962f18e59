import type { Command } from 'commander';
import { install } from '../../vm/commands/install.ts';
import { addBundleOptions, bundleOptions, type BundleFlags } from '../bundle-options.ts';
import { consent } from '../consent.ts';
import type { Act, CliContext } from '../context.ts';
import { outcomeDocument, outcomeText } from '../outcome.ts';
import { hostOf } from '../host.ts';
import { planText } from '../render/plan.ts';

type Flags = BundleFlags & { yes?: true };

export function declare(command: Command, act: Act): void {
  addBundleOptions(command)
    .description(
      'Installs a release, or upgrades to it: verifies the bundle, loads the images, backs the database up, migrates while the old version serves, switches, checks. If a step fails, the old version keeps serving or is brought back.',
    )
    .option('--yes', 'do not ask')
    .action(act(run));
}

async function run(context: CliContext, bundle: string, flags: Flags): Promise<void> {
  const options = await bundleOptions(context, bundle, flags);
  const result = await install(await hostOf(context), options, (plan) =>
    consent(context, planText(plan), plan.kind === 'install' ? 'Install?' : 'Upgrade?', flags.yes),
  );
  const { recovered, finished, version } = result;
  const done = { command: 'install' as const, version, recovered, finished, plan: result.plan };
  context.result(outcomeDocument(done), outcomeText(done));
}
