import { putBackByHand } from '../saved-elsewhere-option.ts';
import type { Command } from 'commander';
import { rollback } from '../../vm/commands/rollback.ts';
import { consent } from '../consent.ts';
import type { Act, CliContext } from '../context.ts';
import { directoryOf, hostOf } from '../host.ts';
import { addIdentityOption, identitiesOf, type IdentityFlags } from '../identity.ts';
import { outcomeDocument, outcomeText } from '../outcome.ts';
import { at } from '../trust.ts';
import { planText } from '../render/plan.ts';

type Flags = IdentityFlags & {
  dir?: string;
  bundle?: string;
  yes?: true;
  discardLocal?: true;
  restoreDatabase?: true;
  dataIsSavedElsewhere?: true;
};

export function declare(command: Command, act: Act): void {
  addIdentityOption(command)
    .argument('[version]', 'the release to go back to (default: the previous one)')
    .description(
      'Goes back to a release that the store keeps, without network or bundle. Refuses when the code of that release cannot run on the current database.',
    )
    .option('--dir <directory>', 'the directory of the deployment (default: the current one)')
    .option('--bundle <file>', 'a bundle, of this or another release, to replace files that the store lost')
    .option('--discard-local', 'undo changes made by hand to compose.yaml and VERSION')
    .option('--restore-database', 'across an irreversible migration: put the older database in place too; the newer one is kept')
    .addOption(putBackByHand())
    .option('--yes', 'do not ask')
    .action(act(run));
}

async function run(context: CliContext, version: string | undefined, flags: Flags): Promise<void> {
  const options = {
    directory: directoryOf(context, flags.dir),
    ...(await identitiesOf(context, flags)),
    bundle: flags.bundle === undefined ? undefined : at(context, flags.bundle),
    version,
    discardLocal: flags.discardLocal,
    restoreDatabase: flags.restoreDatabase,
    dataIsSavedElsewhere: flags.dataIsSavedElsewhere,
  };
  const result = await rollback(await hostOf(context), options, (plan) =>
    consent(context, planText(plan), 'Go back?', flags.yes),
  );
  const done = { command: 'rollback' as const, ...result };
  context.result({ ...outcomeDocument(done), leftAside: result.leftAside }, outcomeText(done));
}
