import { setTimeout as sleep } from 'node:timers/promises';
import { databases } from '../database/admin.ts';
import { isAirdockError } from '../errors.ts';
import type { ManagedSite } from './site.ts';
import type { SiteCluster } from './swap-record.ts';

/** After a restart of the engine the server starts too, or has to be started: until it answers. @throws DATABASE_UNREACHABLE */
export async function waitForDatabase(site: ManagedSite, cluster: SiteCluster): Promise<void> {
  if (!cluster.elsewhere) await (await site.compose()).up([cluster.service], { noDeps: true, noRecreate: true });
  for (let attempt = 0; ; attempt++) {
    try {
      await databases(cluster);
      return;
    } catch (error) {
      if (!isAirdockError(error, 'DATABASE_UNREACHABLE') || attempt >= 120) throw error;
      await sleep(500);
    }
  }
}
