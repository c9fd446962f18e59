import { existsSync } from 'node:fs';
import { rmdir } from 'node:fs/promises';
import path from 'node:path';
import { type BackupKeys, backupKeys } from '../../data/postgres/backup/sealed.ts';
import { AirdockError } from '../../errors.ts';
import type { Compose } from '../../io/compose.ts';
import type { Docker } from '../../io/docker.ts';
import type { ToolboxOptions } from '../../io/toolbox.ts';
import { assertDirectorySafe, ensureDirectory, readIfExists, removeTree } from '../../io/files.ts';
import { composeFiles, projectName } from '../compose-files/find.ts';
import { parseEnvFile } from '../env/file.ts';
import type { Host } from './host.ts';
import { placeSelf } from './placed-program.ts';
import { openJournal, type Journal } from '../state/journal.ts';
import { takeLock } from '../state/lock.ts';
import { hasState, openState, readState, stateSchema } from '../state/open-state.ts';
import type { Deployment, State } from '../state/state.ts';
import { migrations } from '../state/schema.ts';
import { openStore, type Store } from '../store/store.ts';
import { workTag, transactionVariable } from '../state/names.ts';

/** A deployment's directory and its engine, for reading. */
export type Site = {
  host: Host;
  directory: string;
  /** The folder `.airdock` in the directory. */
  airdock: string;
  project: string;
  endpoint: string;
  docker: Docker;
  /** Compose with other files than those in the directory, e.g. staged ones. */
  composeOf(files: readonly string[], envFile: string): Compose;
  /** Compose with the files that `docker compose` by hand reads in the directory. */
  compose(): Promise<Compose>;
  /** Runs programs of an image in containers of their own. */
  tools(options: Omit<ToolboxOptions, 'run' | 'endpoint' | 'environment'>): Pick<Compose, 'exec'>;
};

/** The records of a deployment. Commands that only read open them without the lock. */
export type Records = { state: State; journal: Journal };
export type ManagedSite = Site & Records & { store: Store; keys: BackupKeys };

export type SiteOptions = {
  directory: string;
  project?: string | undefined;
  /** age identities, to read encrypted backups. */
  identities?: readonly string[] | undefined;
};

async function openSite(host: Host, options: SiteOptions, recorded?: Deployment): Promise<Site> {
  const directory = path.resolve(options.directory);
  const env = await readEnv(directory);
  const project = recorded?.project ?? options.project ?? projectName(directory, env?.get('COMPOSE_PROJECT_NAME'));
  if (options.project !== undefined && options.project !== project)
    throw new AirdockError('USAGE', `this deployment is project ${project}, not ${options.project}`, {
      hint: 'Leave --project out: the name was recorded at the first install or at adoption.',
    });
  const endpoint = recorded?.endpoint ?? (await host.resolveEndpoint());
  const site = {
    host,
    directory,
    airdock: path.join(directory, '.airdock'),
    project,
    endpoint,
    docker: host.openDocker(endpoint),
  };
  return { ...site, ...composeMethods(site) };
}

/** A site whose child processes carry a tag of the current work, by which recovery finds them. */
export function taggedSite(site: ManagedSite, work: Parameters<typeof workTag>[1]): ManagedSite {
  return { ...site, ...composeMethods(site, { [transactionVariable]: workTag(site, work) }) };
}

function composeMethods(
  site: Pick<Site, 'host' | 'directory' | 'project' | 'endpoint'>,
  environment: Record<string, string> = {},
): Pick<Site, 'composeOf' | 'compose' | 'tools'> {
  const { host, directory, project, endpoint } = site;
  const composeOf = (files: readonly string[], envFile: string) =>
    host.openCompose({ endpoint, project, directory, files, envFile, environment });
  return {
    composeOf,
    tools: (options) => host.openToolbox({ endpoint, environment, ...options }),
    compose: async () => composeOf(await composeFiles(directory, await readEnv(directory)), path.join(directory, '.env')),
  };
}

/** Opens a directory without the lock and without changing anything. `work` gets undefined when there are no records. */
export async function lookAtSite<T>(
  host: Host,
  options: SiteOptions,
  work: (site: Site, records: Records | undefined) => Promise<T>,
): Promise<T> {
  const airdock = path.join(path.resolve(options.directory), '.airdock');
  if (!hasState(airdock)) return work(await openSite(host, options), undefined);
  const state = readState(airdock);
  try {
    return await work(await openSite(host, options, state.deployment()), { state, journal: openJournal(state, host.clock) });
  } finally {
    state.close();
  }
}

/**
 * Takes the lock, opens or creates the records, and runs `work`. If no first transaction began, what was created is removed
 * again.
 */
export async function changeSite<T>(host: Host, options: SiteOptions, work: (site: ManagedSite) => Promise<T>): Promise<T> {
  const directory = path.resolve(options.directory);
  const airdock = path.join(directory, '.airdock');
  const created = !existsSync(directory);
  await ensureDirectory(directory, 0o755);
  await assertDirectorySafe(directory);
  await ensureDirectory(airdock, 0o700);
  const lock = takeLock(airdock);
  let begun = true;
  try {
    // the schema changes only after a program that knows the new schema is in place for recovery
    if (hasState(airdock) && stateSchema(airdock) < migrations.length) await placeSelf({ airdock, host });
    const state = openState(airdock, host.program.version);
    try {
      const journal = openJournal(state, host.clock);
      const site = await openSite(host, options, state.deployment());
      try {
        const keys = await backupKeys(state.backupRecipients(), options.identities ?? []);
        return await work({ ...site, state, journal, store: await openStore(airdock), keys });
      } finally {
        begun = state.deployment() !== undefined;
      }
    } finally {
      state.close();
    }
  } finally {
    if (!begun) await removeTree(airdock);
    lock.release();
    if (!begun && created) await removeEmpty(directory);
  }
}

async function removeEmpty(directory: string): Promise<void> {
  await rmdir(directory).catch(() => {});
}

/** `.env`; undefined when it does not exist. */
export async function readEnv(directory: string) {
  const bytes = await readIfExists(path.join(directory, '.env'));
  return bytes && parseEnvFile(bytes, path.join(directory, '.env'));
}

/** `.env`; empty when it does not exist. */
export async function readEnvOrEmpty(directory: string) {
  return (await readEnv(directory)) ?? parseEnvFile('');
}

export function notADeployment(directory: string): AirdockError {
  return new AirdockError('NOT_A_DEPLOYMENT', `${directory} is not a deployment that airdock made or adopted`, {
    hint: 'Give the directory of a deployment with --dir, or take over a deployment made by hand with airdock adopt.',
  });
}
