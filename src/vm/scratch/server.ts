import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DatabaseTarget } from '../../data/postgres/backup/backup.ts';
import { scratchUser } from '../../data/postgres/migration/scratch-settings.ts';
import { AirdockError, isAirdockError } from '../../errors.ts';
import type { Compose, ComposeService } from '../../io/compose.ts';
import type { ContainerInfo } from '../../io/container.ts';
import { ensureDirectory, removeTree, replaceFile } from '../../io/files.ts';
import { databaseImage } from '../database/target.ts';
import { workTag, transactionVariable } from '../state/names.ts';
import { endProcesses } from '../site/leftover-processes.ts';
import { scratchFile, scratchLabels } from './compose-file.ts';
import type { Site } from '../site/site.ts';

/** The throwaway server that proves backups and rehearses migrations (docs/adr/0007, "The scratch server"). */
export type Scratch = { compose: Compose; server: DatabaseTarget };

type Options = {
  /** Service of the live database. */
  service: string;
  /** An image to use instead of the live database's. */
  image?: string;
  /** Services that are started beside the server. */
  dependencies?: Record<string, ComposeService>;
  /** Services for `compose.run`, which are not started. */
  oneShot?: Record<string, ComposeService>;
  signal?: AbortSignal | undefined;
};

const readyTimeout = 120_000;

function scratchProject({ project }: Pick<Site, 'project'>): string {
  return `${project}-airdock-scratch`;
}

/**
 * Starts an empty server, runs `work`, and always removes the server. The caller holds the deployment's lock.
 * @throws AirdockError SCRATCH_FAILED when the server does not start; what `work` throws
 */
export async function withScratch<T>(site: Site, options: Options, work: (scratch: Scratch) => Promise<T>): Promise<T> {
  await removeScratch(site);
  await assertNameFree(site);
  try {
    const compose = await writeFiles(site, options);
    const started = [options.service, ...Object.keys(options.dependencies ?? {})];
    await compose.up(started, { noDeps: true, signal: options.signal }).catch((error: unknown) => {
      throw isAirdockError(error, 'UP_FAILED') ? scratchFailed(error.message, '', error) : error;
    });
    const server = { tools: compose, service: options.service, user: scratchUser, database: scratchUser };
    await waitReady(site, server, started, options.signal);
    return await work({ compose, server });
  } finally {
    await removeScratch(site);
  }
}

/** Removes everything of scratch servers of this deployment, of killed processes too. The caller holds the lock. */
export async function removeScratch(site: Site): Promise<void> {
  const folder = scratchFolder(site);
  if (!existsSync(folder)) return; // the folder is made first and removed last
  await endProcesses(site, 'scratch');
  for (let tries = 0; ; tries++) {
    for (const { id } of await ownContainers(site)) await site.docker.removeContainer(id, { anonymousVolumes: true });
    try {
      for (const { name, labels } of await site.docker.networks(scratchProject(site)))
        if (isOurs(site, labels)) await site.docker.removeNetwork(name);
      break;
    } catch (error) {
      // the engine may still create a container that an ended compose process had asked for
      if (tries >= 10) throw error;
      await sleep(200);
    }
  }
  await removeTree(folder);
}

async function ownContainers(site: Site): Promise<ContainerInfo[]> {
  const containers = await site.docker.containers({ project: scratchProject(site) });
  return containers.filter(({ labels }) => isOurs(site, labels));
}

function isOurs({ directory }: Site, labels: Record<string, string>): boolean {
  return Object.entries(scratchLabels(directory)).every(([key, value]) => labels[key] === value);
}

async function assertNameFree(site: Site): Promise<void> {
  const project = scratchProject(site);
  const sameName = [...(await site.docker.containers({ project })), ...(await site.docker.networks(project))];
  const [foreign] = sameName.filter(({ labels }) => !isOurs(site, labels));
  if (!foreign) return;
  throw new AirdockError(
    'SCRATCH_FAILED',
    `${foreign.name} belongs to a compose project ${project} that this deployment's airdock did not start`,
    {
      hint: `Throwaway servers of this deployment use that project name. If nobody needs the project, remove it: docker compose -p ${project} down`,
    },
  );
}

function scratchFolder({ airdock }: Pick<Site, 'airdock'>): string {
  return path.join(airdock, 'scratch');
}

async function writeFiles(
  site: Site,
  { service, image: chosenImage, dependencies = {}, oneShot = {} }: Options,
): Promise<Compose> {
  const model = await (await site.compose()).config();
  const live = model.services[service] ?? {};
  const image = chosenImage ?? (await databaseImage(site, model, service));
  if (image === undefined) throw scratchFailed(`the deployment has no database service ${service}, so its image is unknown`, '');
  const folder = scratchFolder(site);
  await ensureDirectory(folder);
  const file = path.join(folder, 'compose.json');
  const password = randomBytes(24).toString('hex');
  const others = { ...dependencies, ...oneShot };
  await replaceFile(path.join(folder, '.env'), '');
  await replaceFile(file, scratchFile({ directory: site.directory, service, live, image, password, others }));
  return site.host.openCompose({
    endpoint: site.endpoint,
    project: scratchProject(site),
    directory: folder,
    files: [file],
    envFile: path.join(folder, '.env'),
    environment: { [transactionVariable]: workTag(site, 'scratch') },
  });
}

/** Waits until the server accepts connections over TCP: while the data directory is made, it listens on its socket only. */
async function waitReady(site: Site, { tools, service }: DatabaseTarget, started: string[], signal?: AbortSignal): Promise<void> {
  const probe = ['pg_isready', '-q', '-h', '127.0.0.1', '-U', scratchUser, '-d', scratchUser];
  let missing = 'it did not start';
  for (const end = performance.now() + readyTimeout; performance.now() < end; await sleep(200, undefined, { signal })) {
    const containers = await ownContainers(site);
    for (const name of started) {
      const container = containers.find((one) => one.service === name);
      if (container?.state === 'running' || container?.state === 'created') continue;
      const log = container ? await site.docker.logs(container.id, { tail: 10 }) : '';
      throw scratchFailed(
        `service ${name} ended${container?.exitCode === undefined ? '' : ` (exit code ${container.exitCode})`}`,
        log,
      );
    }
    const unwell = containers.filter((one) => one.health === 'starting' || one.health === 'unhealthy');
    missing =
      unwell.length > 0
        ? `not healthy: ${unwell.map((one) => one.service).join(', ')}`
        : `${service} does not accept connections`;
    if (unwell.length > 0) continue;
    if ((await tools.exec(service, probe, { timeoutMs: 10_000, signal })).exitCode === 0) return;
  }
  const [unready] = (await ownContainers(site)).filter((one) => one.service === service);
  throw scratchFailed(
    `after ${readyTimeout / 1000} s ${missing}`,
    unready ? await site.docker.logs(unready.id, { tail: 10 }) : '',
  );
}

function scratchFailed(why: string, log: string, cause?: unknown): AirdockError {
  const lines = log.trimEnd();
  return new AirdockError(
    'SCRATCH_FAILED',
    `the throwaway database server did not start: ${why}${lines === '' ? '' : `\n${lines}`}`,
    {
      hint: 'Nothing was changed, and this says nothing about the backup. Check that there is enough memory and disk space for a second server. An upgrade is possible without it, but then nothing is proven: --no-rehearsal.',
      cause,
    },
  );
}
