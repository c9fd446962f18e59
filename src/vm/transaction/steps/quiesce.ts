import { databases, fence, databaseNamed } from '../../../data/postgres/swap/admin.ts';
import { AirdockError } from '../../../errors.ts';
import { asideName, nextName } from '../../../data/postgres/swap/swap-names.ts';
import { postgresServerOf, quiesceOf, type QuiesceDetail } from '../../database/swap-record.ts';
import { codeContainersOf, removeCodeContainers } from '../../services/code-containers.ts';
import type { Prepared } from '../run-step.ts';
import type { Transaction } from '../transaction.ts';
import { type Step } from '../step.ts';

export const quiesce = {
  id: 'quiesce',
  stop: true,
  estimate: () => 1,
  prepare,
  run,
} satisfies Step;

/** Records the running writers and traffic services before the first of them is removed. */
async function prepare({ site, record, plan, target }: Transaction): Promise<Prepared> {
  const server = await postgresServerOf(site, record);
  const existing = await databases(server);
  const live = databaseNamed(existing, server.database);
  // a rollback has its database already
  const next = plan.restore ? [] : [nextName(record.id)];
  for (const name of [...next, asideName(live.name, record.from ?? record.to, record.id)])
    if (existing.some((database) => database.name === name))
      throw new AirdockError('STEP_FAILED', `the server already has a database with the name ${name}, which this upgrade needs`, {
        hint: 'Nothing was stopped. The database may belong to an earlier deployment. If nobody needs it, rename or drop it by hand.',
      });
  const code = codeContainersOf(site, record, target.manifest);
  const containers = await site.docker.containers({ project: site.project });
  const services: QuiesceDetail['services'] = {};
  for (const container of containers)
    if (code.includes(container) && !container.oneOff && container.state === 'running')
      services[container.service] = (services[container.service] ?? 0) + 1;
  const detail: QuiesceDetail = { live, services, shut: code.traffic };
  return { detail };
}

/** Removes the containers: stopped ones with `restart: always` would start when the engine restarts (docs/FACTS.md "Stopped and removed containers"). */
async function run({ site, record, target, signal }: Transaction): Promise<string> {
  await removeCodeContainers(site, codeContainersOf(site, record, target.manifest));
  const server = await postgresServerOf(site, record, signal);
  await fence(server, server.database);
  const services = Object.keys(quiesceOf(site, record.id)?.services ?? {});
  return `stopped ${services.join(', ')}; ${server.database} accepts no connections`;
}
