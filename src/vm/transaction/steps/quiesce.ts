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

/** Who writes and who lets users in is written down before the first of them goes. */
async function prepare({ site, record, plan, target }: Transaction): Promise<Prepared> {
  const server = await postgresServerOf(site, record);
  const all = await databases(server);
  const live = databaseNamed(all, server.database);
  // a restore has made its own
  const next = plan.restore ? [] : [nextName(record.id)];
  for (const name of [...next, asideName(live.name, record.from ?? record.to, record.id)])
    if (all.some((one) => one.name === name))
      throw new AirdockError('STEP_FAILED', `the server has a database ${name} already, which this upgrade needs the name of`, {
        hint: 'Nothing was stopped. Is it of an earlier deployment here? Rename or drop it by hand, when nobody needs it.',
      });
  const code = codeContainersOf(site, record, target.manifest);
  const containers = await site.docker.containers({ project: site.project });
  const services: QuiesceDetail['services'] = {};
  for (const one of containers)
    if (code.includes(one) && !one.oneOff && one.state === 'running') services[one.service] = (services[one.service] ?? 0) + 1;
  const detail: QuiesceDetail = { live, services, shut: code.traffic };
  return { detail };
}

/** Their containers are removed: stopped ones with `restart: always` come back when the engine restarts (docs/FACTS.md "Stopped and removed containers"). */
async function run({ site, record, target, signal }: Transaction): Promise<string> {
  await removeCodeContainers(site, codeContainersOf(site, record, target.manifest));
  const server = await postgresServerOf(site, record, signal);
  await fence(server, server.database);
  const services = Object.keys(quiesceOf(site, record.id)?.services ?? {});
  return `stopped ${services.join(', ')}; ${server.database} accepts no connections`;
}
