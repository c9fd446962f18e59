import { realpath } from 'node:fs/promises';
import path from 'node:path';
import { version as semverText } from '../../bundle/manifest.ts';
import { AirdockError } from '../../errors.ts';
import type { ContainerInfo } from '../../io/container.ts';
import { readIfExists } from '../../io/files.ts';
import { filesByHand } from '../compose-files/find.ts';
import type { EnvFile } from '../env/file.ts';
import { readEnv, type Site } from '../site/site.ts';

/** A deployment that an operator made by hand, as it was found. */
export type FoundStack = {
  /** Without one-shots. */
  containers: ContainerInfo[];
  env: EnvFile;
  version: string;
  /** The compose files in order; the first is the main file. */
  files: string[];
  main: { name: string; bytes: Buffer };
  /** Service -> configuration hash, from these files. */
  hashes: Map<string, string>;
  warnings: string[];
};

export function refused(message: string, hint: string, details?: Record<string, unknown>): AirdockError {
  return new AirdockError('ADOPTION_REFUSED', message, { hint, details });
}

/** The compose project of the directory: by its name, or else by the label of containers (after `name:` or `-p`). */
export async function projectHere(site: Site): Promise<string | undefined> {
  if ((await site.docker.containers({ project: site.project })).length > 0) return site.project;
  const label = `com.docker.compose.project.working_dir=${await realpath(site.directory).catch(() => site.directory)}`;
  const projects = new Set((await site.docker.containers({ label })).map((container) => container.project));
  return projects.size === 1 ? [...projects][0] : undefined;
}

/** @throws ADOPTION_REFUSED, ENV_INVALID, COMPOSE_INVALID */
export async function findStack(site: Site): Promise<FoundStack> {
  const containers = (await site.docker.containers({ project: site.project })).filter((container) => !container.oneOff);
  if (!containers.some((container) => container.state === 'running')) {
    const exists = containers.length > 0 || (await filesByHand(site.directory, undefined)) !== undefined;
    throw refused(
      `no container of the project ${site.project} is running`,
      exists
        ? 'Start the deployment first (docker compose up -d), so that airdock sees what to keep; or name another project with --project.'
        : 'There is nothing to adopt here: use airdock install. Name a deployment in another directory with --dir and --project.',
    );
  }
  await assertBelongsHere(site, containers);
  const env = await readEnv(site.directory);
  const version = env?.get('VERSION') ?? '';
  env?.assertOnce('VERSION');
  if (!env || version === '') throw refused('.env does not set VERSION', 'Write the version that runs into .env: VERSION=0.2.4');
  if (!semverText.safeParse(version).success)
    throw refused(
      `VERSION in .env is ${version}, which is not a version like 0.2.4`,
      'Write it as the vendor does: VERSION=0.2.4',
    );
  const { files, hashes } = await filesInUse(site, containers, env);
  const [first = ''] = files;
  const bytes = await readIfExists(first);
  if (!bytes) throw refused(`${first} is missing`, 'Put back the compose file that the containers were made with.');
  return {
    containers,
    env,
    version,
    files,
    main: { name: path.relative(site.directory, first), bytes },
    hashes,
    warnings: warningsOf(containers, hashes),
  };
}

async function assertBelongsHere(site: Site, containers: readonly ContainerInfo[]): Promise<void> {
  const directory = await realPath(site.directory);
  for (const { workingDir, labels } of containers) {
    if (workingDir !== '' && (await realPath(workingDir)) !== directory)
      throw refused(
        `the project ${site.project} belongs to ${workingDir}, not to ${site.directory}`,
        `Give that directory: --dir ${workingDir}`,
      );
    const envFiles = (labels['com.docker.compose.project.environment_file'] ?? '').split(',').filter((name) => name !== '');
    for (const file of envFiles)
      if ((await realPath(file)) !== (await realPath(path.join(directory, '.env'))))
        throw refused(
          `the containers were made with the settings of ${file}`,
          'airdock reads settings from .env: rename that file to .env, and run docker compose up -d.',
        );
  }
}

async function realPath(file: string): Promise<string> {
  return realpath(file).catch(() => path.resolve(file));
}

/**
 * The files that `docker compose` by hand reads here, or those that the containers were made with (`-f`), whichever match more of
 * the running containers.
 */
async function filesInUse(
  site: Site,
  containers: readonly ContainerInfo[],
  env: EnvFile,
): Promise<Pick<FoundStack, 'files' | 'hashes'>> {
  const candidates = [
    await filesByHand(site.directory, env),
    ...containers.map((container) => container.configFiles.map((file) => path.resolve(site.directory, file))),
  ];
  const seen = new Set<string>();
  let best: (Pick<FoundStack, 'files' | 'hashes'> & { fits: number }) | undefined;
  let failure: unknown;
  for (const files of candidates) {
    if (files === undefined || files.length === 0 || seen.has(files.join('\n')) || !(await allExist(files))) continue;
    seen.add(files.join('\n'));
    try {
      const hashes = await site.composeOf(files, path.join(site.directory, '.env')).hashes();
      const fits = containers.filter((container) => hashes.get(container.service) === container.configHash).length;
      if (!best || fits > best.fits) best = { files, hashes, fits };
    } catch (error) {
      failure ??= error;
    }
  }
  if (best) return best;
  if (failure) throw failure;
  throw refused(`there is no compose file in ${site.directory}`, 'Put back the file that the containers were made with.');
}

async function allExist(files: readonly string[]): Promise<boolean> {
  for (const file of files) if (!(await readIfExists(file))) return false;
  return true;
}

function warningsOf(containers: readonly ContainerInfo[], hashes: ReadonlyMap<string, string>): string[] {
  const others = containers.filter((container) => !hashes.has(container.service)).map((container) => container.service);
  const pending = containers
    .filter((container) => hashes.has(container.service) && hashes.get(container.service) !== container.configHash)
    .map((container) => container.service);
  return [
    ...(pending.length === 0
      ? []
      : [
          `${[...new Set(pending)].join(', ')}: the files were edited after the containers were made; the next docker compose up recreates the containers, with or without airdock`,
        ]),
    ...(others.length === 0
      ? []
      : [
          `${[...new Set(others)].join(', ')}: running, but not in the compose files with the profiles of .env; airdock does not touch these services (COMPOSE_PROFILES in .env turns a profile on permanently)`,
        ]),
  ];
}
