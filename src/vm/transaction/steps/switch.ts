import { assertUnedited, writeSnapshot, snapshotDigest } from '../../staging/switch-files.ts';
import type { Prepared } from '../run-step.ts';
import type { Transaction } from '../transaction.ts';
import { type Step } from '../step.ts';

export const switchStep = {
  id: 'switch',
  stop: 'when-quiesced',
  estimate: () => 1,
  prepare,
  run,
} satisfies Step;

/** One commit makes the new release current; the files follow. After a kill each file may still have its old content. */
async function prepare({ site, record }: Transaction): Promise<Prepared> {
  if (!site.journal.has(record.id, 'switch', 'intent')) await assertUnedited(site, record.id);
  const composeDigest = await snapshotDigest(site, record.id, 'after');
  return { commit: () => site.state.updateDeployment({ current: record.to, phase: 'trial', composeDigest }) };
}

async function run({ site, record, target }: Transaction): Promise<string> {
  await writeSnapshot(site, record.id, 'after');
  return `compose.yaml and .env name ${target.manifest.version}`;
}
