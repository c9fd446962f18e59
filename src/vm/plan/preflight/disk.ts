import { freeBytes, fileSystemId } from '../../../io/files.ts';

export type Need = { what: string; bytes: number };
export type DiskFacts = { path: string; needs: Need[]; free: number };

/** The disk ledger: what each path needs, added up per file system, beside what is free there. */
export async function diskLedger(wanted: readonly { path: string; need: Need }[]): Promise<DiskFacts[]> {
  const ledger = new Map<string, DiskFacts>();
  for (const { path, need } of wanted) {
    const id = await fileSystemId(path);
    const disk = ledger.get(id) ?? { path, needs: [], free: await freeBytes(path) };
    disk.needs.push(need);
    ledger.set(id, disk);
  }
  return [...ledger.values()];
}
