import type { Compose } from '../../io/compose.ts';
import { databaseServiceOf } from '../../bundle/manifest.ts';
import type { BundleManifest } from '../../bundle/manifest.ts';
import type { ManagedSite, Site } from '../site/site.ts';
import { startServices } from './compose-up.ts';

/** Bringing services up and taking them away, the same in every direction of a transaction. */

/** All services but the database's: only the step `database-service` recreates that one (ADR 1, "Steps"). */
export async function servicesOf(
  compose: Compose,
  manifest: BundleManifest,
): Promise<{ all: string[]; rolled: string[]; database: string | undefined }> {
  const all = Object.keys((await compose.config()).services);
  const declared = databaseServiceOf(manifest);
  const database = declared !== undefined && all.includes(declared) ? declared : undefined;
  return { all, rolled: all.filter((service) => service !== database), database };
}

/** Services that must run before a migration can: neither writers nor traffic nor the migration's own. */
export function dependencyServices(manifest: BundleManifest, all: readonly string[]): string[] {
  const rolled = new Set([...manifest.writers, ...manifest.traffic, manifest.migration.service]);
  return all.filter((service) => !rolled.has(service));
}

type UpWith = {
  /** Services that stay away for now. */
  without?: readonly string[];
  /** Containers by service, where there were more than one. */
  scale?: Readonly<Record<string, number>>;
  signal?: AbortSignal | undefined;
};

/**
 * `up` for everything but the database, which is started if it stopped and otherwise left alone.
 * Dependencies are left out only where compose would recreate the database: with --no-deps the containers get another
 * configuration hash than a plain `up` by hand computes, and that would recreate them.
 */
export async function bringUp(
  site: Site,
  compose: Compose,
  manifest: BundleManifest,
  { without = [], scale = {}, signal }: UpWith = {},
): Promise<string[]> {
  const { all, rolled: every, database } = await servicesOf(compose, manifest);
  const rolled = every.filter((service) => !without.includes(service));
  const options = signal ? { signal } : {};
  if (database !== undefined) await startServices(site, compose, [database], { ...options, noDeps: true, noRecreate: true });
  const noDeps = database !== undefined && (await differs(site, compose, database));
  const scaled = Object.fromEntries(Object.entries(scale).filter(([service, count]) => count > 1 && rolled.includes(service)));
  if (rolled.length > 0) await startServices(site, compose, rolled, { ...options, noDeps, scale: scaled });
  return all.filter((service) => !without.includes(service));
}

/** Would a plain `up` recreate this service's container: another configuration, or another image behind the name? */
async function differs(site: Site, compose: Compose, service: string): Promise<boolean> {
  const [model, hashes, containers] = await Promise.all([
    compose.config(),
    compose.hashes(),
    site.docker.containers({ project: site.project }),
  ]);
  const image = await site.docker.inspectImage(model.services[service]?.image ?? '');
  return containers.some(
    (one) => one.service === service && !one.oneOff && (one.configHash !== hashes.get(service) || one.imageId !== image?.id),
  );
}

/** Containers of these services of this project, whatever the files now say of them. One-shots too. */
export async function takeAway(site: ManagedSite, services: readonly string[]): Promise<void> {
  const containers = await site.docker.containers({ project: site.project });
  for (const container of containers) if (services.includes(container.service)) await site.docker.removeContainer(container.id);
}
