import { parseEnvFile } from '../../env/file.ts';
import { waitHealthy } from '../../services/health.ts';
import { bringUp } from '../../services/bring-up.ts';
import { readEnv } from '../../site/site.ts';
import { quiesceOf } from '../../database/swap-record.ts';
import type { Transaction } from '../transaction.ts';

/** Users and schedules come in again: from here on nothing goes back by itself (docs/adr/0008-irreversible.md). */
export async function openTraffic({ site, record, target }: Transaction): Promise<string> {
  const scale = quiesceOf(site, record.id)?.services ?? {};
  await bringUp(site, await site.compose(), target.manifest, { scale });
  return `${target.manifest.traffic.join(', ')} are up`;
}

export async function externalHealth({ site, target }: Transaction): Promise<string> {
  const env = (await readEnv(site.directory)) ?? parseEnvFile('');
  const services = Object.keys((await (await site.compose()).config()).services);
  await waitHealthy({ site, manifest: target.manifest, env, services });
  return `${target.manifest.health.length} checks green`;
}
