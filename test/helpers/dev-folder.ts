import { homedir } from 'node:os';
import { join } from 'node:path';

/** What `scripts/setup` unpacked beside the system. */
export function devFolder(...names: string[]): string {
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  return join(process.env['AIRDOCK_DEV'] ?? join(cache, 'airdock-dev'), ...names);
}
