import { waitHealthy } from '../../services/health.ts';
import { readEnvOrEmpty } from '../../site/site.ts';
import type { Step } from '../step.ts';
import type { Transaction } from '../transaction.ts';

export const external = {
  id: 'external',
  stop: false,
  estimate: () => 1,
  run,
} satisfies Step;

/** Waits for all health checks, now that users can reach the release. */
async function run({ site, target }: Transaction): Promise<string> {
  const env = await readEnvOrEmpty(site.directory);
  const services = Object.keys((await (await site.compose()).config()).services);
  await waitHealthy({ site, manifest: target.manifest, env, services });
  return `${target.manifest.health.length} checks green`;
}
