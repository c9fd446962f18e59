import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { replaceFile } from '../../../io/files.ts';
import { databaseAccess, environmentOf } from '../../database/access.ts';
import { parseEnvFile } from '../../env/file.ts';
import { migrationFailed } from '../../../data/postgres/migration/migration-failed.ts';
import { appliedIn } from '../../../data/postgres/migration/migration-output.ts';
import { openStaged } from '../../staging/stage.ts';
import { snapshotFile } from '../../staging/switch-files.ts';
import { folderOf, sessionName, snapshotFolder, transactionLabel } from '../../state/names.ts';
import { higherVersion } from '../../../policy/reached.ts';
import { nextName } from '../../../data/postgres/swap/swap-names.ts';
import type { Prepared } from '../run-step.ts';
import { hasStep } from '../../plan/order.ts';
import type { Transaction } from '../transaction.ts';
import { type Step } from '../step.ts';

export const migrate = {
  id: 'migrate',
  stop: 'when-quiesced',
  estimate: () => 1,
  prepare,
  run,
} satisfies Step;

const lockTimeout = '3s';
const attempts = 5;

/**
 * Records the new schema before the migration: from now on a way back takes the new release's class into account, whether the
 * migration finishes or not. For a copy, the swap records it.
 */
async function prepare({ site, record, plan }: Transaction): Promise<Prepared> {
  if (hasStep(plan, 'copy')) return {};
  const schemaRelease = higherVersion(site.state.deployment()?.schemaRelease ?? null, record.to);
  return { commit: () => site.state.updateDeployment({ schemaRelease }) };
}

/**
 * Runs the release's migrations as a one-shot container of the new image, on the live database or on its copy. The new schema is
 * recorded before the first statement (docs/adr/0001-transaction.md). A migration that cannot get a lock gives up after 3 s, because
 * readers wait behind it (docs/FACTS.md "Locks"), and is tried again.
 */
async function run({ site, record, plan, target, signal }: Transaction): Promise<string> {
  const { service, command } = target.manifest.migration;
  const after = snapshotFolder(site, record.id, 'after');
  const env = (await snapshotFile(site, record.id, 'after', '.env')) ?? Buffer.alloc(0);
  const compose = await openStaged(site, after, env);
  const inCopy = hasStep(plan, 'copy');
  // the environment takes precedence over `.env`, so the migration connects to the copy
  const access = inCopy ? databaseAccess(target.manifest, parseEnvFile(env, '.env')) : undefined;
  const onCopy = access ? environmentOf(target.manifest, access, nextName(record.id)) : {};
  const log = path.join(folderOf(site, record.id), 'migrate.log');
  for (let attempt = 1; ; attempt++) {
    const result = await compose.run(service, command, {
      labels: transactionLabel(record.id),
      name: `airdock-${site.project}-${record.id}-migrate-${attempt}`,
      env: { PGAPPNAME: sessionName(record.id), PGOPTIONS: `-c lock_timeout=${lockTimeout}`, ...onCopy },
      signal,
    });
    const output = result.stdout + result.stderr;
    await replaceFile(log, output, { mode: 0o600 });
    if (result.exitCode === 0) {
      const applied = appliedIn(output);
      return applied.length === 0 ? 'done' : `${applied.length} applied`;
    }
    if (attempt < attempts && /lock timeout|LockNotAvailable|deadlock detected/i.test(output)) {
      await sleep(1000 * attempt, undefined, { signal });
      continue;
    }
    throw migrationFailed({
      version: target.manifest.version,
      output,
      exitCode: result.exitCode,
      on: inCopy ? 'copy' : 'live',
      more: `Its output is in ${log}.`,
      details: { log },
    });
  }
}
