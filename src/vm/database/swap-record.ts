import { z } from 'zod';
import type { PostgresServer } from '../../data/postgres/swap/admin.ts';
import { AirdockError } from '../../errors.ts';
import type { TransactionRecord } from '../state/journal.ts';
import { databaseAccess } from './access.ts';
import { databaseTarget } from './target.ts';
import { readEnvOrEmpty, type ManagedSite } from '../site/site.ts';
import { sessionName } from '../state/names.ts';
import type { KeptDatabase } from '../state/state.ts';

/** The records of the steps `quiesce` and `swap`, which recovery needs (docs/adr/0008-irreversible.md). */
const databaseId = z.strictObject({ name: z.string(), oid: z.int() });

const quiesceDetail = z.strictObject({
  live: databaseId,
  /** Services that wrote or let users in, with their numbers of containers. */
  services: z.record(z.string(), z.int()),
  /** Services of both releases that stay stopped until traffic opens. */
  shut: z.array(z.string()),
});
export type QuiesceDetail = z.infer<typeof quiesceDetail>;

const swapDetail = z.strictObject({
  live: databaseId,
  next: databaseId,
  /** The name that the live database gets. */
  aside: z.string(),
  /** The release of the database that is put aside, and the newest release whose migrations it may have. */
  release: z.string(),
  schemaRelease: z.string(),
  /** The newest release whose migrations the database that is put in place may have. */
  nextSchemaRelease: z.string(),
});
export type SwapDetail = z.infer<typeof swapDetail>;

/** `elsewhere`: the server is not a service of the deployment. */
export type DeploymentPostgres = PostgresServer & { elsewhere: boolean };

export function quiesceOf(site: ManagedSite, id: number): QuiesceDetail | undefined {
  const detail = intentOf(site, id, 'quiesce');
  return detail && quiesceDetail.parse(detail);
}

export function swapOf(site: ManagedSite, id: number): SwapDetail | undefined {
  const detail = intentOf(site, id, 'swap');
  return detail && swapDetail.parse(detail);
}

function intentOf(site: ManagedSite, id: number, step: string): Record<string, unknown> | undefined {
  return site.journal.steps(id).find((record) => record.step === step && record.state === 'intent')?.detail;
}

/**
 * The server of the deployment's database, for the sessions of a transaction. A release that was adopted without a bundle declares no
 * database: then the other release of the transaction does.
 * @throws INTERNAL when neither has a database service
 */
export async function postgresServerOf(
  site: ManagedSite,
  { id, from, to }: Pick<TransactionRecord, 'id' | 'from' | 'to'>,
  signal?: AbortSignal,
): Promise<DeploymentPostgres> {
  const env = await readEnvOrEmpty(site.directory);
  const manifests = [site.state.deployment()?.current, to, from].flatMap((version) => {
    const release = version ? site.state.release(version) : undefined;
    return release ? [release.manifest] : [];
  });
  const access = manifests.map((manifest) => databaseAccess(manifest, env)).find((one) => one !== undefined);
  if (!access) throw new AirdockError('INTERNAL', 'this deployment has no database service');
  return {
    ...(await databaseTarget(site, access)),
    elsewhere: access.elsewhere !== undefined,
    applicationName: sessionName(id),
    signal,
  };
}

export function postgresServerOfKept(site: ManagedSite, { transaction }: KeptDatabase): Promise<DeploymentPostgres> {
  const current = site.state.deployment()?.current ?? '';
  return postgresServerOf(site, { id: transaction, from: null, to: current });
}
