import type { ManagedSite } from '../site/site.ts';

/** Behind the end of a transaction: what fails there takes nothing back any more, so it is a warning. */
export async function afterwards({ host }: Pick<ManagedSite, 'host'>, what: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    host.listener({ type: 'warning', text: `${what}: ${error instanceof Error ? error.message : String(error)}` });
  }
}
