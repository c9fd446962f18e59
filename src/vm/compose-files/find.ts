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
 * The files that `docker compose` by hand reads in a directory with a `compose.yaml`: those of COMPOSE_FILE in `.env`, or else
 * `compose.yaml` and the operator's override. @param staged a file to read in place of `compose.yaml`
 */
export async function composeFiles(directory: string, env: EnvFile | undefined, staged?: string): Promise<string[]> {
  const named = env?.get('COMPOSE_FILE') ?? '';
  const files =
    named === ''
      ? ['compose.yaml', ...(await firstExisting(directory, overrides))]
      : named.split(env?.get('COMPOSE_PATH_SEPARATOR') || ':');
  return files.map((file) => (file === 'compose.yaml' && staged !== undefined ? staged : path.resolve(directory, file)));
}

/** The files that `docker compose` by hand reads; the main file may have any of compose's names. Undefined when there is none. */
export async function filesByHand(directory: string, env: EnvFile | undefined): Promise<string[] | undefined> {
  if ((env?.get('COMPOSE_FILE') ?? '') !== '') return composeFiles(directory, env);
  const main = await firstExisting(directory, ['compose.yaml', 'compose.yml', 'docker-compose.yml', 'docker-compose.yaml']);
  if (main.length === 0) return undefined;
  return [...main, ...(await firstExisting(directory, overrides))].map((file) => path.resolve(directory, file));
}

async function firstExisting(directory: string, names: readonly string[]): Promise<string[]> {
  for (const name of names) if (await readIfExists(path.join(directory, name))) return [name];
  return [];
}

/** The project's name, as compose computes it: COMPOSE_PROJECT_NAME, or the directory's name; in lowercase, without invalid characters. */
export function projectName(directory: string, fromEnv: string | undefined): string {
  const name = fromEnv !== undefined && fromEnv !== '' ? fromEnv : path.basename(directory);
  return name
    .toLowerCase()
    .replace(/[^a-z0-9_-]/g, '')
    .replace(/^[_-]+/, '');
}
