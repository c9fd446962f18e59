import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Runtime } from './context.ts';

/** `$XDG_CACHE_HOME/airdock`, or `~/.cache/airdock` when the variable is not set. The content may be deleted at any time. */
export function cacheDirectory({ env }: Pick<Runtime, 'env'>): string {
  return join(env['XDG_CACHE_HOME'] || join(env['HOME'] || homedir(), '.cache'), 'airdock');
}
