import { bytesText } from '../../../units.ts';
import { besideDatabase } from '../../backups/volumes-and-redis.ts';
import { makeBackup } from '../../backups/make.ts';
import { databaseAccess } from '../../database/access.ts';
import { databaseTarget } from '../../database/target.ts';
import { readEnvOrEmpty } from '../../site/site.ts';
import type { Progress } from '../../../events.ts';
import { hasStep } from '../../plan/order.ts';
import type { Transaction } from '../transaction.ts';
import { sessionName } from '../../state/names.ts';
import { secondsFor, type Step } from '../step.ts';

export const backup = {
  id: 'backup',
  stop: false,
  estimate: ({ database }) => secondsFor(database?.bytes ?? 0, 40e6),
  run,
} satisfies Step;

/** The live database, dumped and read back in full, and what is declared beside it, before anything changes. */
async function run({ site, record, plan, target, signal }: Transaction, progress: Progress): Promise<string> {
  const env = await readEnvOrEmpty(site.directory);
  const access = databaseAccess(target.manifest, env);
  if (!access) return 'no database here';
  const made = await makeBackup(site, await databaseTarget(site, access), {
    applicationName: sessionName(record.id),
    release: record.from,
    schemaRelease: site.state.deployment()?.schemaRelease ?? record.from,
    signal,
    onProgress: progress,
    beside: besideDatabase(site, target.manifest, env, signal),
  });
  site.journal.setBackup(record.id, made.id);
  const unproven = hasStep(plan, 'rehearse') ? '' : ', unproven until it is restored';
  return `${made.id}: ${bytesText(made.bytes)}, read back in full${unproven}`;
}
