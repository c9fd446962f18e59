import { existsSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** [version, DOCKER_CONFIG] of each compose plugin that `scripts/setup compose` brought. */
export function composeConfigs(): [string, string][] {
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  const folder = join(process.env['AIRDOCK_DEV'] ?? join(cache, 'airdock-dev'), 'compose');
  const found = readdirSync(folder).filter((version) => existsSync(join(folder, version, 'cli-plugins')));
  if (found.length === 0) throw new Error('no compose plugin: run scripts/setup compose');
  return found.toSorted().map((version) => [version, join(folder, version)]);
}
