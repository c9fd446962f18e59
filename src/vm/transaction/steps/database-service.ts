import { databaseServiceOf } from '../../../bundle/manifest.ts';
import { startAndWait } from '../../services/start-and-wait.ts';
import type { Step } from '../step.ts';
import type { Transaction } from '../transaction.ts';

export const databaseService = {
  id: 'database-service',
  stop: true,
  estimate: () => 1,
  run,
} satisfies Step;

/** Recreates the database service, if the release changes it; the plan announced that. */
async function run({ site, target, signal }: Transaction): Promise<string> {
  const service = databaseServiceOf(target.manifest);
  if (service === undefined) return 'none';
  await startAndWait(site, target.manifest, [service], signal);
  return service;
}
