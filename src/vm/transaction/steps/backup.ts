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

/** Backs up the live database, Redis and declared volumes, before anything changes. */
async function run({ site, record, plan, target, signal }: Transaction, progress: Progress): Promise<string> {
  const env = await readEnvOrEmpty(site.directory);
  const access = databaseAccess(target.manifest, env);
  if (!access) return 'no database here';
  const backupMade = await makeBackup(site, await databaseTarget(site, access), {
    applicationName: sessionName(record.id),
    release: record.from,
    schemaRelease: site.state.deployment()?.schemaRelease ?? record.from,
    signal,
    onProgress: progress,
    beside: besideDatabase(site, target.manifest, env, signal),
  });
  site.journal.setBackup(record.id, backupMade.id);
  const unproven = hasStep(plan, 'rehearse') ? '' : ', unproven until it is restored';
  return `${backupMade.id}: ${bytesText(backupMade.bytes)}, read back in full${unproven}`;
}
