import path from 'node:path';
import { readIfExists } from '../../io/files.ts';
import type { EnvFile } from '../env/file.ts';

const overrides = [
  'compose.override.yml',
  'compose.override.yaml',
  'docker-compose.override.yml',
  'docker-compose.override.yaml',
];

/**
 * The files that `docker compose` by hand would read in that directory once `compose.yaml` is there: COMPOSE_FILE of `.env`,
 * else `compose.yaml` and the operator's override. `staged` stands in for `compose.yaml`.
 */
export async function composeFiles(directory: string, env: EnvFile | undefined, staged?: string): Promise<string[]> {
  const named = env?.get('COMPOSE_FILE') ?? '';
  const files =
    named === ''
      ? ['compose.yaml', ...(await firstThere(directory, overrides))]
      : named.split(env?.get('COMPOSE_PATH_SEPARATOR') || ':');
  return files.map((file) => (file === 'compose.yaml' && staged !== undefined ? staged : path.resolve(directory, file)));
}

/** The same where `compose.yaml` may have any of the names that compose looks for; undefined when there is none. */
export async function filesByHand(directory: string, env: EnvFile | undefined): Promise<string[] | undefined> {
  if ((env?.get('COMPOSE_FILE') ?? '') !== '') return composeFiles(directory, env);
  const main = await firstThere(directory, ['compose.yaml', 'compose.yml', 'docker-compose.yml', 'docker-compose.yaml']);
  if (main.length === 0) return undefined;
  return [...main, ...(await firstThere(directory, overrides))].map((file) => path.resolve(directory, file));
}

async function firstThere(directory: string, names: readonly string[]): Promise<string[]> {
  for (const name of names) if (await readIfExists(path.join(directory, name))) return [name];
  return [];
}

/** As compose makes it: COMPOSE_PROJECT_NAME, else the directory's name in lowercase without what it does not allow. */
export function projectName(directory: string, fromEnv: string | undefined): string {
  const name = fromEnv !== undefined && fromEnv !== '' ? fromEnv : path.basename(directory);
  return name
    .toLowerCase()
    .replace(/[^a-z0-9_-]/g, '')
    .replace(/^[_-]+/, '');
}
