import { swapDatabases } from '../../../data/postgres/swap/admin.ts';
import { planSwap } from '../../../data/postgres/swap/swap.ts';
import { AirdockError } from '../../../errors.ts';
import { emptyCache } from '../../backups/redis.ts';
import { readEnvOrEmpty } from '../../site/site.ts';
import { asideName, nextName } from '../../../data/postgres/swap/swap-names.ts';
import { postgresServerOf, quiesceOf, type SwapDetail, swapOf } from '../../database/swap-record.ts';
import type { Prepared } from '../run-step.ts';
import type { Transaction } from '../transaction.ts';
import { type Step } from '../step.ts';

export const swap = {
  id: 'swap',
  stop: true,
  estimate: () => 1,
  prepare,
  run,
} satisfies Step;

/** Records both OIDs before anything is renamed: they tell recovery which database has the live name. */
async function prepare({ site, record, plan }: Transaction): Promise<Prepared> {
  const { current, schemaRelease } = site.state.deployment() ?? {};
  const release = current ?? record.from ?? record.to;
  const server = await postgresServerOf(site, record);
  const planned = await planSwap(server, {
    began: quiesceOf(site, record.id)?.live,
    next: plan.restore?.kept ?? nextName(record.id),
    aside: asideName(server.database, release, record.id),
  });
  const detail: SwapDetail = {
    ...planned,
    release,
    schemaRelease: schemaRelease ?? release,
    nextSchemaRelease: plan.restore?.schemaRelease ?? record.to,
  };
  return { detail, commit: () => site.state.updateDeployment({ schemaRelease: detail.nextSchemaRelease }) };
}

/** Swaps the databases. The new live database stays fenced until `up`, when the files name the release that it belongs to. */
async function run({ site, record, plan, target, signal }: Transaction): Promise<string> {
  const detail = swapOf(site, record.id);
  if (!detail) throw new AirdockError('INTERNAL', 'a swap needs its intent');
  const { live, next, aside } = detail;
  await swapDatabases(await postgresServerOf(site, record, signal), { live, next, aside });
  // not for an upgrade, whose new database is a copy of the old one
  const emptied = plan.restore ? await emptyCache(site, target.manifest, await readEnvOrEmpty(site.directory)) : '';
  return `${next.name} is now ${live.name}; the old database is kept as ${aside}${emptied}`;
}
