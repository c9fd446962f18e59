import path from 'node:path';
import { z } from 'zod';
import { backupEntry, readBackups } from '../backups/list.ts';
import { drift, findDrift } from '../plan/drift.ts';
import type { Host } from '../site/host.ts';
import type { TransactionRecord } from '../state/journal.ts';
import { wayBackTakes } from '../../policy/way-back.ts';
import { rollbackTargets } from '../state/state.ts';
import { notADeployment } from '../site/site.ts';
import { lookAtSite, type Records } from '../site/site.ts';

export const statusDocument = z.strictObject({
  schema: z.literal('airdock.status/1'),
  product: z.string().nullable(),
  directory: z.string(),
  project: z.string(),
  current: z.string().nullable(),
  schemaRelease: z.string().nullable(),
  phase: z.enum(['none', 'trial', 'good']),
  services: z.array(
    z.strictObject({ service: z.string(), image: z.string(), state: z.string(), health: z.string(), startedAt: z.string() }),
  ),
  drift: z.array(drift),
  interrupted: z
    .strictObject({ transaction: z.int(), kind: z.string(), from: z.string().nullable(), to: z.string(), startedAt: z.string() })
    .nullable(),
  releases: z.array(
    z.strictObject({
      version: z.string(),
      origin: z.string(),
      rollback: z.enum(['current', 'code', 'database', 'own-data', 'never good']),
    }),
  ),
  /** Oldest first. */
  backups: z.array(backupEntry),
  keptDatabases: z.array(
    z.strictObject({
      name: z.string(),
      release: z.string(),
      schemaRelease: z.string(),
      keptAt: z.string(),
      backup: z.string().nullable(),
    }),
  ),
});
export type Status = z.infer<typeof statusDocument>;

/** Reads the status. Changes nothing, takes no lock. @throws NOT_A_DEPLOYMENT */
export async function readStatus(host: Host, options: { directory: string }): Promise<Status> {
  return lookAtSite(host, options, async (site, records) => {
    const deployment = records?.state.deployment();
    if (!records || !deployment) throw notADeployment(path.resolve(options.directory));
    const [engine, containers] = await Promise.all([site.docker.info(), site.docker.containers({ project: site.project })]);
    const release = deployment.current === null ? undefined : records.state.release(deployment.current);
    const open = records.journal.open();
    return {
      schema: 'airdock.status/1',
      product: deployment.product,
      directory: site.directory,
      project: deployment.project,
      current: deployment.current,
      schemaRelease: deployment.schemaRelease,
      phase: deployment.phase,
      services: containers
        .filter((container) => !container.oneOff)
        .map(({ service, image, state, health, startedAt }) => ({ service, image, state, health, startedAt }))
        .toSorted((a, b) => a.service.localeCompare(b.service)),
      // While a transaction is open a difference is not drift, because recovery corrects it.
      drift: open
        ? []
        : await findDrift({ directory: site.directory, deployment, release, containers, engine, docker: site.docker }),
      interrupted: open ? interruptedOf(open) : null,
      releases: releasesOf(records),
      backups: await readBackups(site),
      keptDatabases: records.state.keptDatabases().map(({ oid: _oid, transaction: _transaction, ...shown }) => shown),
    };
  });
}

function interruptedOf({ id, kind, from, to, startedAt }: TransactionRecord): NonNullable<Status['interrupted']> {
  return { transaction: id, kind, from, to, startedAt };
}

function releasesOf({ state }: Records): Status['releases'] {
  const deployment = state.deployment();
  const targets = rollbackTargets(state).map((release) => release.version);
  const schema = deployment?.schemaRelease ?? deployment?.current ?? '0.0.0';
  return state.releases().map(({ version, origin, manifest }) => ({
    version,
    origin,
    rollback:
      version === deployment?.current
        ? 'current'
        : !targets.includes(version)
          ? 'never good'
          : wayBackTakes(state.migrations(), manifest, schema),
  }));
}
