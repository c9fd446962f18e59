import type { BundleManifest } from '../../bundle/manifest.ts';
import { parseEnvFile } from '../env/file.ts';
import type { ManagedSite } from '../site/site.ts';
import { startServices } from './compose-up.ts';
import { waitHealthy } from './health.ts';

/** Starts services without their dependencies, and waits until their containers are healthy. */
export async function startAndWait(
  site: ManagedSite,
  manifest: BundleManifest,
  services: readonly string[],
  signal: AbortSignal | undefined,
): Promise<void> {
  await startServices(site, await site.compose(), services, { noDeps: true, signal });
  await waitHealthy({ site, manifest, env: parseEnvFile(''), services, checks: [], signal });
}
