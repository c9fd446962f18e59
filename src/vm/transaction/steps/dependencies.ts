import { dependencyServices, servicesOf } from '../../services/bring-up.ts';
import { startAndWait } from '../../services/start-and-wait.ts';
import type { Step } from '../step.ts';
import type { Transaction } from '../transaction.ts';

export const dependencies = {
  id: 'dependencies',
  stop: false,
  estimate: () => 1,
  run,
} satisfies Step;

/** First install: starts the services that the migration needs, and waits until they are healthy. */
async function run({ site, target, signal }: Transaction): Promise<string> {
  const { all } = await servicesOf(await site.compose(), target.manifest);
  const services = dependencyServices(target.manifest, all);
  if (services.length === 0) return 'none';
  await startAndWait(site, target.manifest, services, signal);
  return services.join(', ');
}
