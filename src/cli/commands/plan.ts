import type { Command } from 'commander';
import { exitCodes } from '../../errors.ts';
import { refusalCode } from '../../policy/finding.ts';
import { planInstall } from '../../vm/commands/install.ts';
import { addBundleOptions, bundleOptions, type BundleFlags } from '../bundle-options.ts';
import type { Act, CliContext } from '../context.ts';
import { hostOf } from '../host.ts';
import { planText } from '../render/plan.ts';

export function declare(command: Command, act: Act): void {
  addBundleOptions(command)
    .description('Shows what `install` of the bundle would do here, and everything that would stop it. Changes nothing.')
    .action(act(plan));
}

async function plan(context: CliContext, bundle: string, flags: BundleFlags): Promise<number> {
  const made = await planInstall(await hostOf(context), await bundleOptions(context, bundle, flags));
  context.result(made, planText(made));
  const refused = refusalCode(made.findings);
  return refused === undefined ? 0 : exitCodes[refused];
}
