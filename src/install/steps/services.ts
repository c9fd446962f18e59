import { parseEnvFile } from '../env-file.ts';
import { waitHealthy } from '../health.ts';
import { databaseServiceOf } from '../plan.ts';
import { durationText } from '../../units.ts';
import { bringUp, dependencyServices, servicesOf, takeAway } from '../services.ts';
import { readEnv } from '../site.ts';
import type { Transaction } from '../transaction.ts';

/** First install: what the migration needs is started and well before it runs. */
export async function startDependencies(transaction: Transaction): Promise<string> {
  const { site, target, signal } = transaction;
  const compose = await site.compose();
  const { all } = await servicesOf(compose, target.manifest);
  const services = dependencyServices(target.manifest, all);
  if (services.length === 0) return 'none';
  await compose.up(services, { noDeps: true, ...(signal ? { signal } : {}) });
  await containersWell(transaction, services);
  return services.join(', ');
}

/** A database service that the release changes, and that the plan announced. */
export async function recreateDatabase(transaction: Transaction): Promise<string> {
  const service = databaseServiceOf(transaction.target.manifest);
  if (service === undefined) return 'none';
  const { signal } = transaction;
  await (await transaction.site.compose()).up([service], { noDeps: true, ...(signal ? { signal } : {}) });
  await containersWell(transaction, [service]);
  return service;
}

export async function up({ site, target, plan, signal }: Transaction): Promise<string> {
  const services = await bringUp(site, await site.compose(), target.manifest, signal);
  if (plan.removed.length > 0) await takeAway(site, plan.removed);
  return `${services.length} services${plan.removed.length === 0 ? '' : `, removed ${plan.removed.join(', ')}`}`;
}

export async function health({ site, target, signal }: Transaction): Promise<string> {
  const compose = await site.compose();
  const { all } = await servicesOf(compose, target.manifest);
  const env = (await readEnv(site.directory)) ?? parseEnvFile('');
  const milliseconds = await waitHealthy({ site, manifest: target.manifest, env, services: all, signal });
  return `${target.manifest.health.length} checks green after ${durationText(milliseconds)}`;
}

async function containersWell({ site, target, signal }: Transaction, services: readonly string[]): Promise<void> {
  await waitHealthy({ site, manifest: target.manifest, env: parseEnvFile(''), services, checks: [], signal });
}
