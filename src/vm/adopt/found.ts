import { realpath } from 'node:fs/promises';
import path from 'node:path';
import { version as semverText } from '../../bundle/manifest.ts';
import { AirdockError } from '../../errors.ts';
import type { ContainerInfo } from '../../io/container.ts';
import { readIfExists } from '../../io/files.ts';
import { filesByHand } from '../compose-files/find.ts';
import type { EnvFile } from '../env/file.ts';
import { readEnv, type Site } from '../site/site.ts';

/** A deployment as an operator made it, looked at only. */
export type FoundStack = {
  /** Without one-shots. */
  containers: ContainerInfo[];
  env: EnvFile;
  version: string;
  /** What compose reads for it, in order; the first is the main file. */
  files: string[];
  main: { name: string; bytes: Buffer };
  /** Service -> hash, of these files. */
  hashes: Map<string, string>;
  warnings: string[];
};

export function refused(message: string, hint: string, details?: Record<string, unknown>): AirdockError {
  return new AirdockError('ADOPTION_REFUSED', message, { hint, details });
}

/** The project whose containers say that they belong to that directory, when its own name finds none (`name:`, `-p`). */
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
    const made = containers.length > 0 || (await filesByHand(site.directory, undefined)) !== undefined;
    throw refused(
      `nothing of the project ${site.project} is running`,
      made
        ? 'Start it first (docker compose up -d), so that airdock sees what to keep; or name it with --project.'
        : 'There is nothing to adopt here: use airdock install. A deployment elsewhere is named with --dir and --project.',
    );
  }
  await assertBelongsHere(site, containers);
  const env = await readEnv(site.directory);
  const version = env?.get('VERSION') ?? '';
  env?.assertOnce('VERSION');
  if (!env || version === '') throw refused('.env does not say VERSION', 'Write the version that runs into .env: VERSION=0.2.4');
  if (!semverText.safeParse(version).success)
    throw refused(`VERSION in .env is ${version}, which is no release version`, 'Write it as the vendor does: VERSION=0.2.4');
  const { files, hashes } = await meantFiles(site, containers, env);
  const [first = ''] = files;
  const bytes = await readIfExists(first);
  if (!bytes) throw refused(`${first} is not there`, 'Put the compose file back that the containers were made with.');
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
  const here = await real(site.directory);
  for (const { workingDir, labels } of containers) {
    if (workingDir !== '' && (await real(workingDir)) !== here)
      throw refused(
        `the project ${site.project} belongs to ${workingDir}, not to ${site.directory}`,
        `Name it: --dir ${workingDir}`,
      );
    const envFiles = (labels['com.docker.compose.project.environment_file'] ?? '').split(',').filter((name) => name !== '');
    for (const file of envFiles)
      if ((await real(file)) !== (await real(path.join(here, '.env'))))
        throw refused(
          `the containers were made with the settings of ${file}`,
          'airdock keeps them in .env: rename it, and run docker compose up -d.',
        );
  }
}

async function real(file: string): Promise<string> {
  return realpath(file).catch(() => path.resolve(file));
}

/**
 * What `docker compose` by hand reads here, or what the containers were made with (`-f`): whichever explains more of the
 * running containers.
 */
async function meantFiles(
  site: Site,
  containers: readonly ContainerInfo[],
  env: EnvFile,
): Promise<Pick<FoundStack, 'files' | 'hashes'>> {
  const candidates = [
    await filesByHand(site.directory, env),
    ...containers.map((one) => one.configFiles.map((file) => path.resolve(site.directory, file))),
  ];
  const seen = new Set<string>();
  let best: (Pick<FoundStack, 'files' | 'hashes'> & { fits: number }) | undefined;
  let failure: unknown;
  for (const files of candidates) {
    if (files === undefined || files.length === 0 || seen.has(files.join('\n')) || !(await allThere(files))) continue;
    seen.add(files.join('\n'));
    try {
      const hashes = await site.composeOf(files, path.join(site.directory, '.env')).hashes();
      const fits = containers.filter((one) => hashes.get(one.service) === one.configHash).length;
      if (!best || fits > best.fits) best = { files, hashes, fits };
    } catch (error) {
      failure ??= error;
    }
  }
  if (best) return best;
  if (failure) throw failure;
  throw refused(`there is no compose file in ${site.directory}`, 'Put the one back that the containers were made with.');
}

async function allThere(files: readonly string[]): Promise<boolean> {
  for (const file of files) if (!(await readIfExists(file))) return false;
  return true;
}

function warningsOf(containers: readonly ContainerInfo[], hashes: ReadonlyMap<string, string>): string[] {
  const others = containers.filter((one) => !hashes.has(one.service)).map((one) => one.service);
  const pending = containers
    .filter((one) => hashes.has(one.service) && hashes.get(one.service) !== one.configHash)
    .map((one) => one.service);
  return [
    ...(pending.length === 0
      ? []
      : [
          `${[...new Set(pending)].join(', ')}: the files were edited since the containers were made; a docker compose up makes them anew, with or without airdock`,
        ]),
    ...(others.length === 0
      ? []
      : [
          `${[...new Set(others)].join(', ')}: runs, and is not in the compose files with the profiles of .env; airdock leaves it alone (COMPOSE_PROFILES in .env names a profile for good)`,
        ]),
  ];
}
