import { databases, dropDatabase } from '../../data/postgres/swap/admin.ts';
import { postgresServerOfKept } from '../database/swap-record.ts';
import type { ManagedSite } from '../site/site.ts';

/**
 * Drops databases that an upgrade put aside, once their release has left the store and a dump exists. A database that a rollback put
 * aside holds what users wrote, and is never dropped here.
 */
export async function pruneKept(site: ManagedSite): Promise<void> {
  const releases = new Set(site.state.releases().map((release) => release.version));
  const upgrades = site.journal.all().filter(({ kind, outcome }) => kind === 'upgrade' && outcome === 'done');
  for (const kept of site.state.keptDatabases()) {
    if (kept.backup === null || releases.has(kept.release) || !upgrades.some(({ id }) => id === kept.transaction)) continue;
    const server = await postgresServerOfKept(site, kept);
    if ((await databases(server)).some((database) => database.oid === kept.oid && database.name === kept.name))
      await dropDatabase(server, kept.name);
    site.state.forgetKept(kept.name);
  }
}
