import { existsSync } from 'node:fs';
import path from 'node:path';
import type { Host } from '../site/host.ts';
import { recover, type Recovered } from '../transaction/recover.ts';
import { notADeployment } from '../site/site.ts';
import { changeSite } from '../site/site.ts';

/** Finishes or undoes an interrupted transaction; undefined when there was none. */
export async function resume(host: Host, options: { directory: string }): Promise<Recovered | undefined> {
  const directory = path.resolve(options.directory);
  if (!existsSync(path.join(directory, '.airdock', 'state.db'))) throw notADeployment(directory);
  return changeSite(host, { directory }, recover);
}
