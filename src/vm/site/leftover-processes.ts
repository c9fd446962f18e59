import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemCode } from '../../errors.ts';
import { workTag, transactionVariable } from '../state/names.ts';

/** Ends child processes of a killed airdock, and waits until none is left, because they could still start something. */
export async function endProcesses(site: { airdock: string }, work: Parameters<typeof workTag>[1]): Promise<void> {
  const marker = `${transactionVariable}=${workTag(site, work)}`;
  for (let round = 0; round < 50; round++) {
    const pids = await processesWith(marker);
    if (pids.length === 0) return;
    for (const pid of pids) kill(pid, round < 20 ? 'SIGTERM' : 'SIGKILL');
    await sleep(100);
  }
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (systemCode(error) !== 'ESRCH') throw error;
  }
}

async function processesWith(mark: string): Promise<number[]> {
  const pids: number[] = [];
  for (const name of await readdir('/proc').catch(() => [])) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    const environment = await readFile(`/proc/${name}/environ`, 'utf8').catch(() => '');
    if (environment.split('\0').includes(mark)) pids.push(pid);
  }
  return pids;
}
