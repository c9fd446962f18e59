import { fence, unfence } from '../../../data/postgres/swap/admin.ts';
import { parseEnvFile } from '../../env/file.ts';
import { waitHealthy } from '../../services/health.ts';
import { databaseServiceOf } from '../../../bundle/manifest.ts';
import type { Plan } from '../../plan/document.ts';
import { durationText } from '../../../units.ts';
import { bringUp, dependencyServices, servicesOf, takeAway } from '../../services/bring-up.ts';
import { readEnv, type ManagedSite } from '../../site/site.ts';
import { startServices } from '../../services/compose-up.ts';
import { postgresServerOf, quiesceOf, swapOf } from '../../database/swap-record.ts';
import type { TransactionRecord } from '../../state/journal.ts';
import type { Transaction } from '../transaction.ts';
import { waitForDatabase } from '../../database/wait.ts';

/** First install: what the migration needs is started and well before it runs. */
export async function startDependencies(transaction: Transaction): Promise<string> {
  const { site, target, signal } = transaction;
  const compose = await site.compose();
  const { all } = await servicesOf(compose, target.manifest);
  const services = dependencyServices(target.manifest, all);
  if (services.length === 0) return 'none';
  await startServices(site, compose, services, { noDeps: true, ...(signal ? { signal } : {}) });
  await containersWell(transaction, services);
  return services.join(', ');
}

/** A database service that the release changes, and that the plan announced. */
export async function recreateDatabase(transaction: Transaction): Promise<string> {
  const service = databaseServiceOf(transaction.target.manifest);
  if (service === undefined) return 'none';
  const { site, signal } = transaction;
  await startServices(site, await site.compose(), [service], { noDeps: true, ...(signal ? { signal } : {}) });
  await containersWell(transaction, [service]);
  return service;
}

export async function up({ site, record, target, plan, signal }: Transaction): Promise<string> {
  const quiesced = quiesceOf(site, record.id);
  const closed = opensLater(plan) ? (quiesced?.shut ?? []) : [];
  const scale = quiesced?.services ?? {};
  await openDatabase(site, record);
  const services = await bringUp(site, await site.compose(), target.manifest, { without: closed, scale, signal });
  if (plan.removed.length > 0) await takeAway(site, plan.removed);
  const shut = closed.length === 0 ? '' : `, not yet ${closed.join(', ')}`;
  return `${services.length} services${shut}${plan.removed.length === 0 ? '' : `, removed ${plan.removed.join(', ')}`}`;
}

/** While traffic is shut, only what can be asked from inside. */
export async function health({ site, record, target, plan, signal }: Transaction): Promise<string> {
  const compose = await site.compose();
  const { all } = await servicesOf(compose, target.manifest);
  const shut = opensLater(plan) ? (quiesceOf(site, record.id)?.shut ?? []) : [];
  const services = all.filter((service) => !shut.includes(service));
  const checks = target.manifest.health.filter((check) => shut.length === 0 || check.scope === 'internal');
  const env = (await readEnv(site.directory)) ?? parseEnvFile('');
  const milliseconds = await waitHealthy({ site, manifest: target.manifest, env, services, checks, signal });
  return `${checks.length} checks green after ${durationText(milliseconds)}`;
}

/** The files name the code that belongs to it now (docs/adr/0008-irreversible.md). */
async function openDatabase(site: ManagedSite, record: TransactionRecord): Promise<void> {
  const swap = swapOf(site, record.id);
  if (!swap) return;
  const server = await postgresServerOf(site, record);
  await waitForDatabase(site, server);
  await fence(server, swap.live.name);
  await unfence(server, { name: swap.live.name, oid: swap.next.oid });
}

function opensLater(plan: Plan): boolean {
  return plan.steps.some((step) => step.id === 'traffic');
}

async function containersWell({ site, target, signal }: Transaction, services: readonly string[]): Promise<void> {
  await waitHealthy({ site, manifest: target.manifest, env: parseEnvFile(''), services, checks: [], signal });
}
