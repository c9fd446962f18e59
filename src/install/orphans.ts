import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { maintenanceOf } from '../database/admin.ts';
import { endSessions, unfinishedSuffix } from '../database/backup.ts';
import { systemCode } from '../errors.ts';
import { removeTree } from '../io/files.ts';
import { parseEnvFile } from './env-file.ts';
import { databaseAccess, databaseAddress } from './preflight/database.ts';
import { readEnv, type ManagedSite } from './site.ts';
import { transactionMark, transactionVariable } from './mark.ts';
import { sessionName } from './transaction.ts';

/**
 * Ends what a killed process left running, before recovery decides anything: first the children on the host, which could
 * still start something, then one-shot containers, then sessions of the database, then half-made backups.
 */
export async function endOrphans(site: ManagedSite, id: number): Promise<void> {
  await endProcesses(`${transactionVariable}=${transactionMark(site, id)}`);
  const own = await site.docker.containers({ label: `airdock.transaction=${id}` });
  for (const container of own)
    if (container.oneOff && container.project === site.project)
      await site.docker.removeContainer(container.id, { anonymousVolumes: true });
  for (const probe of await site.docker.containers({ label: 'airdock.probe' }))
    if (probe.state === 'created') await site.docker.removeContainer(probe.id, { anonymousVolumes: true });
  await endDatabaseSessions(site, id);
  await removePartialBackups(site);
}

async function endProcesses(mark: string): Promise<void> {
  for (let round = 0; round < 50; round++) {
    const found = await processesWith(mark);
    if (found.length === 0) return;
    for (const pid of found) kill(pid, round < 20 ? 'SIGTERM' : 'SIGKILL');
    await sleep(100);
  }
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (systemCode(error) !== 'ESRCH') throw error;
  }
}

async function processesWith(mark: string): Promise<number[]> {
  const found: number[] = [];
  for (const name of await readdir('/proc').catch(() => [])) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    const environment = await readFile(`/proc/${name}/environ`, 'utf8').catch(() => '');
    if (environment.split('\0').includes(mark)) found.push(pid);
  }
  return found;
}

async function endDatabaseSessions(site: ManagedSite, id: number): Promise<void> {
  const current = site.state.deployment()?.current;
  const release = current ? site.state.release(current) : undefined;
  const access = release && databaseAccess(release.manifest, (await readEnv(site.directory)) ?? parseEnvFile(''));
  if (!access) return;
  const containers = await site.docker.containers({ project: site.project });
  if (databaseAddress(containers, access.service) === undefined) return; // not running: it has no sessions
  await endSessions(
    // the live one may be fenced
    { compose: await site.compose(), service: access.service, user: access.user, database: maintenanceOf(access.name) },
    sessionName(id),
  );
}

/** A finished backup got its name by a rename. */
async function removePartialBackups(site: ManagedSite): Promise<void> {
  const folder = path.join(site.airdock, 'backups');
  for (const name of await readdir(folder).catch(() => []))
    if (name.endsWith(unfinishedSuffix)) await removeTree(path.join(folder, name));
}
