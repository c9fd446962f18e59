import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Runtime } from './context.ts';

/** `~/.cache/airdock`, or where XDG_CACHE_HOME says. Whatever lies there may be thrown away. */
export function cacheDirectory({ env }: Pick<Runtime, 'env'>): string {
  return join(env['XDG_CACHE_HOME'] || join(env['HOME'] || homedir(), '.cache'), 'airdock');
}
