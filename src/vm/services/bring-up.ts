import type { Compose } from '../../io/compose.ts';
import { databaseServiceOf } from '../../bundle/manifest.ts';
import type { BundleManifest } from '../../bundle/manifest.ts';
import type { ManagedSite, Site } from '../site/site.ts';
import { startServices } from './compose-up.ts';

/** Starting and removing services, the same in every direction of a transaction. */

/** The services of the compose files. `replaceable` is without the database, which only the step `database-service` recreates (ADR 1, "Steps"). */
export async function servicesOf(
  compose: Compose,
  manifest: BundleManifest,
): Promise<{ all: string[]; replaceable: string[]; database: string | undefined }> {
  const all = Object.keys((await compose.config()).services);
  const declared = databaseServiceOf(manifest);
  const database = declared !== undefined && all.includes(declared) ? declared : undefined;
  return { all, replaceable: all.filter((service) => service !== database), database };
}

/** Services that must run before a migration: all but the writers, the traffic services and the migration's own. */
export function dependencyServices(manifest: BundleManifest, all: readonly string[]): string[] {
  const later = new Set([...manifest.writers, ...manifest.traffic, manifest.migration.service]);
  return all.filter((service) => !later.has(service));
}

type UpWith = {
  /** Services that are not started yet. */
  without?: readonly string[];
  /** Number of containers of services that had more than one. */
  scale?: Readonly<Record<string, number>>;
  signal?: AbortSignal | undefined;
};

/**
 * Runs `up` for everything but the database, which is started if it is stopped, and otherwise not touched. `--no-deps` is used
 * only if compose would recreate the database: with it the containers get another configuration hash than with a plain `up`,
 * so a later `up` by hand would recreate them.
 */
export async function bringUp(
  site: Site,
  compose: Compose,
  manifest: BundleManifest,
  { without = [], scale = {}, signal }: UpWith = {},
): Promise<string[]> {
  const { all, replaceable, database } = await servicesOf(compose, manifest);
  const started = replaceable.filter((service) => !without.includes(service));
  const options = signal ? { signal } : {};
  if (database !== undefined) await startServices(site, compose, [database], { ...options, noDeps: true, noRecreate: true });
  const noDeps = database !== undefined && (await wouldRecreate(site, compose, database));
  const scaled = Object.fromEntries(Object.entries(scale).filter(([service, count]) => count > 1 && started.includes(service)));
  if (started.length > 0) await startServices(site, compose, started, { ...options, noDeps, scale: scaled });
  return all.filter((service) => !without.includes(service));
}

/** Whether a plain `up` would recreate the service's container: its configuration or its image differs. */
async function wouldRecreate(site: Site, compose: Compose, service: string): Promise<boolean> {
  const [model, hashes, containers] = await Promise.all([
    compose.config(),
    compose.hashes(),
    site.docker.containers({ project: site.project }),
  ]);
  const image = await site.docker.inspectImage(model.services[service]?.image ?? '');
  return containers.some(
    (container) =>
      container.service === service &&
      !container.oneOff &&
      (container.configHash !== hashes.get(service) || container.imageId !== image?.id),
  );
}

/** Removes the containers of services, one-shots too, even if the compose files no longer have the services. */
export async function removeServices(site: ManagedSite, services: readonly string[]): Promise<void> {
  const containers = await site.docker.containers({ project: site.project });
  for (const container of containers) if (services.includes(container.service)) await site.docker.removeContainer(container.id);
}
