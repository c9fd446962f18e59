import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { devFolder } from './dev-folder.ts';

/** [version, DOCKER_CONFIG] of each compose plugin that `scripts/setup compose` brought. */
export function composeConfigs(): [string, string][] {
  const folder = devFolder('compose');
  const found = readdirSync(folder).filter((version) => existsSync(join(folder, version, 'cli-plugins')));
  if (found.length === 0) throw new Error('no compose plugin: run scripts/setup compose');
  return found.toSorted().map((version) => [version, join(folder, version)]);
}
