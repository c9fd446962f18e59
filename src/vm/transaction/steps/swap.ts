import { copyDatabase, swapDatabases } from '../../../data/postgres/swap/admin.ts';
import { planSwap } from '../../../data/postgres/swap/swap.ts';
import { AirdockError } from '../../../errors.ts';
import { emptyCache } from '../../backups/redis.ts';
import { parseEnvFile } from '../../env/file.ts';
import { readEnv } from '../../site/site.ts';
import { asideName, nextName } from '../../../data/postgres/swap/swap-names.ts';
import { postgresServerOf, quiesceOf, type SwapDetail, swapOf } from '../../database/swap-record.ts';
import type { Prepared, Transaction } from '../transaction.ts';

/** A copy of the live database beside it, for the migrations. */
export async function copy({ site, record, signal }: Transaction): Promise<string> {
  const server = await postgresServerOf(site, record, signal);
  const started = performance.now();
  await copyDatabase(server, server.database, nextName(record.id));
  return `${server.database} copied in ${((performance.now() - started) / 1000).toFixed(1)} s`;
}

/** Both OIDs, before anything is renamed: recovery sees by them on which side it is. */
export async function prepareSwap({ site, record, plan }: Transaction): Promise<Prepared> {
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

/** What comes in stays fenced until `up`, when the files name the code that belongs to it. */
export async function swap({ site, record, plan, target, signal }: Transaction): Promise<string> {
  const detail = swapOf(site, record.id);
  if (!detail) throw new AirdockError('INTERNAL', 'a swap needs its intent');
  const { live, next, aside } = detail;
  await swapDatabases(await postgresServerOf(site, record, signal), { live, next, aside });
  // what an upgrade puts in place is a copy of what goes
  const emptied = plan.restore
    ? await emptyCache(site, target.manifest, (await readEnv(site.directory)) ?? parseEnvFile(''))
    : '';
  return `${next.name} is ${live.name} now; what was live is kept as ${aside}${emptied}`;
}
