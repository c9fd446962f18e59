import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { maintenanceOf } from '../../data/postgres/swap/admin.ts';
import { endSessions, unfinishedSuffix } from '../../data/postgres/backup/backup.ts';
import { removeTree } from '../../io/files.ts';
import { databaseAccess } from '../database/access.ts';
import { databaseTarget, toolLabel } from '../database/target.ts';
import { databaseAddress } from '../database/target.ts';
import { readEnvOrEmpty, type ManagedSite } from '../site/site.ts';
import { endProcesses } from '../site/leftover-processes.ts';
import { removeScratch } from '../scratch/server.ts';
import { sessionName } from '../state/names.ts';
import { untilItAnswers } from '../database/wait.ts';
import { backupSession } from '../backups/make.ts';

/**
 * Ends what a killed process left running, before recovery decides anything: first the children on the host, which could
 * still start something, then one-shot containers, throwaway servers, sessions of the database, half-made backups.
 */
export async function endLeftovers(site: ManagedSite, id: number): Promise<void> {
  await endProcesses(site, id);
  const ofTransaction = await site.docker.containers({ label: `airdock.transaction=${id}` });
  for (const container of ofTransaction)
    if (container.oneOff && container.project === site.project)
      await site.docker.removeContainer(container.id, { anonymousVolumes: true });
  await removeProbes(site);
  await removeScratch(site);
  await endDatabaseSessions(site, sessionName(id));
  await removePartialBackups(site);
}

/** Ends what work outside a transaction left running: a throwaway server, `backup create`, the dump of a kept database. */
export async function endOtherLeftovers(site: ManagedSite): Promise<void> {
  await removeScratch(site);
  if ((await partialBackups(site)).length === 0) return; // the folder of a backup is made before anything else
  // kept databases are dumped after their transaction (kept-databases/dump.ts)
  const undumped = site.state.keptDatabases().flatMap(({ backup, transaction }) => (backup === null ? [transaction] : []));
  for (const work of ['backup' as const, ...undumped]) {
    await endProcesses(site, work);
    await endDatabaseSessions(site, work === 'backup' ? backupSession : sessionName(work));
  }
  await removeProbes(site);
  await removePartialBackups(site);
}

/** Removes containers that were created to test an image or to read a volume; they never ran. */
async function removeProbes(site: ManagedSite): Promise<void> {
  for (const probe of await site.docker.containers({ label: 'airdock.probe' }))
    if (probe.state === 'created') await site.docker.removeContainer(probe.id, { anonymousVolumes: true });
}

async function endDatabaseSessions(site: ManagedSite, applicationName: string): Promise<void> {
  const current = site.state.deployment()?.current;
  const release = current ? site.state.release(current) : undefined;
  const access = release && databaseAccess(release.manifest, await readEnvOrEmpty(site.directory));
  if (!access) return;
  const containers = await site.docker.containers({ project: site.project });
  if (!access.elsewhere && databaseAddress(containers, access.service) === undefined) return; // the database does not run, so it has no sessions
  for (const tool of await site.docker.containers({ label: `${toolLabel}=${site.directory}` }))
    await site.docker.removeContainer(tool.id, { anonymousVolumes: true });
  // through the maintenance database, because the live one may be fenced
  const target = { ...(await databaseTarget(site, access)), database: maintenanceOf(access.name) };
  await untilItAnswers(target);
  await endSessions(target, applicationName);
}

/** Folders of unfinished backups; a finished backup got its name by a rename. */
async function partialBackups(site: ManagedSite): Promise<string[]> {
  const folder = path.join(site.airdock, 'backups');
  const names = await readdir(folder).catch(() => []);
  return names.filter((name) => name.endsWith(unfinishedSuffix)).map((name) => path.join(folder, name));
}

async function removePartialBackups(site: ManagedSite): Promise<void> {
  for (const folder of await partialBackups(site)) await removeTree(folder);
}
