import { setTimeout as sleep } from 'node:timers/promises';
import { maintenanceOf } from '../../data/postgres/swap/admin.ts';
import { ask, type DatabaseTarget } from '../../data/postgres/server/server.ts';
import { isAirdockError } from '../../errors.ts';
import type { ManagedSite } from '../site/site.ts';
import type { DeploymentPostgres } from './swap-record.ts';

/** Starts the database service if it does not run, and waits until it answers. @throws DATABASE_UNREACHABLE */
export async function waitForDatabase(site: ManagedSite, server: DeploymentPostgres): Promise<void> {
  if (!server.elsewhere) await (await site.compose()).up([server.service], { noDeps: true, noRecreate: true });
  await untilItAnswers({ ...server, database: maintenanceOf(server.database) });
}

/** Waits up to a minute: a server may still be starting, or replaying its log. @throws DATABASE_UNREACHABLE */
export async function untilItAnswers(target: DatabaseTarget): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await ask(target, 'SELECT 1');
      return;
    } catch (error) {
      if (!isAirdockError(error, 'DATABASE_UNREACHABLE') || attempt >= 120) throw error;
      await sleep(500);
    }
  }
}
