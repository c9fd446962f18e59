import { durationText } from '../../../units.ts';
import { servicesOf } from '../../services/bring-up.ts';
import { waitHealthy } from '../../services/health.ts';
import { readEnvOrEmpty } from '../../site/site.ts';
import { shutServices } from '../shut-services.ts';
import type { Step } from '../step.ts';
import type { Transaction } from '../transaction.ts';

export const health = {
  id: 'health',
  stop: false,
  estimate: () => 10,
  run,
} satisfies Step;

/** Waits until the release is healthy; while traffic is shut, only with the checks that work from inside. */
async function run(transaction: Transaction): Promise<string> {
  const { site, target, signal } = transaction;
  const compose = await site.compose();
  const { all } = await servicesOf(compose, target.manifest);
  const shut = shutServices(transaction);
  const services = all.filter((service) => !shut.includes(service));
  const checks = target.manifest.health.filter((check) => shut.length === 0 || check.scope === 'internal');
  const env = await readEnvOrEmpty(site.directory);
  const milliseconds = await waitHealthy({ site, manifest: target.manifest, env, services, checks, signal });
  return `${checks.length} checks green after ${durationText(milliseconds)}`;
}
