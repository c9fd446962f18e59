import { createDatabase } from '../../data/postgres/backup/restore.ts';
import { readLocale } from '../../data/postgres/server/locale.ts';
import { ask, psql, type DatabaseTarget } from '../../data/postgres/server/server.ts';
import { AirdockError } from '../../errors.ts';
import { databaseAccess } from '../database/access.ts';
import { databaseTarget, runningImage } from '../database/target.ts';
import { withScratch } from '../scratch/server.ts';
import { readEnvOrEmpty } from '../site/site.ts';
import { hasStep } from '../plan/order.ts';
import type { Transaction } from './transaction.ts';

/**
 * A new image of the database service gets the same data directory. A missing extension or another collation library would be
 * noticed only after the old container is gone. So a throwaway server of the new image is checked first.
 * @throws AirdockError DATABASE_IMAGE_UNFIT, SCRATCH_FAILED; nothing was changed
 */
export async function assertDatabaseImageFits({ site, record, plan, target, names, signal }: Transaction): Promise<void> {
  if (!hasStep(plan, 'database-service')) return;
  // recovery repeats `load` after the switch: the check was done before, and the live database may be fenced now
  if (site.journal.has(record.id, 'switch', 'intent')) return;
  const access = databaseAccess(target.manifest, await readEnvOrEmpty(site.directory));
  const next = names.find(({ image }) => access && image.usedBy.includes(`compose ${access.service}`));
  if (!access || access.elsewhere || !next) return;
  const running = await runningImage(site, access.service);
  if (running === undefined || (await site.docker.inspectImage(next.name))?.id === running) return;
  const live = await databaseTarget(site, access);
  const reasons = await withScratch(site, { service: access.service, image: next.name, signal }, ({ server }) =>
    reasonsAgainst(live, server),
  );
  if (reasons.length === 0) return;
  throw new AirdockError(
    'DATABASE_IMAGE_UNFIT',
    `the database image of ${target.manifest.version} cannot be used with this data: ${reasons.join('; ')}`,
    {
      hint: 'Nothing was changed. Ask the vendor for a fixed image; or move the data by a dump and a restore.',
      details: { reasons },
    },
  );
}

/** What the live database needs and the server of the new image lacks; empty when nothing is missing. */
export async function reasonsAgainst(live: DatabaseTarget, candidate: DatabaseTarget): Promise<string[]> {
  const used = await ask(live, 'SELECT extname FROM pg_extension ORDER BY extname');
  const available = new Set(await ask(candidate, 'SELECT name FROM pg_available_extensions'));
  const lacking = used.filter((name) => !available.has(name)).map((name) => `it lacks the extension ${name}`);
  return [...lacking, ...(await collationReasons(live, candidate))];
}

async function collationReasons(live: DatabaseTarget, candidate: DatabaseTarget): Promise<string[]> {
  const locale = await readLocale(live);
  if (locale.collationVersion === null) return []; // not recorded before PostgreSQL 15
  const name = 'airdock_probe';
  await psql(candidate, 'SCRATCH_FAILED', { input: Buffer.from(await createDatabase(candidate, locale)) }, { name });
  const actual = "SELECT pg_database_collation_actual_version(oid) FROM pg_database WHERE datname = :'name'";
  const [version = 'none'] = await ask(candidate, actual, { name });
  if (version === locale.collationVersion) return [];
  return [
    `its collation library has version ${version}, the data was sorted by ${locale.collationVersion}: text indexes would be wrong`,
  ];
}
