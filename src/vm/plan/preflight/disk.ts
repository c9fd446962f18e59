import { freeBytes, fileSystemId } from '../../../io/files.ts';
import { bytesText } from '../../../units.ts';
import { assertNoFinding, type Finding } from '../../../policy/finding.ts';
import { emptyServerBytes } from '../../../data/postgres/migration/scratch-settings.ts';
import { restoredBytes, type BackupMetadata } from '../../../data/postgres/backup/backup-metadata.ts';
import type { Site } from '../../site/site.ts';

export type Need = { what: string; bytes: number };
export type DiskFacts = { path: string; needs: Need[]; free: number };

/** The disk ledger: the needs of all paths, added up for each file system, with its free space. */
export async function diskLedger(needs: readonly { path: string; need: Need }[]): Promise<DiskFacts[]> {
  const ledger = new Map<string, DiskFacts>();
  for (const { path, need } of needs) {
    const id = await fileSystemId(path);
    const disk = ledger.get(id) ?? { path, needs: [], free: await freeBytes(path) };
    disk.needs.push(need);
    ledger.set(id, disk);
  }
  return [...ledger.values()];
}
/** A finding for each file system that has too little space. */
export function diskFindings(ledger: readonly DiskFacts[]): Finding[] {
  return ledger.flatMap((disk) => {
    const total = disk.needs.reduce((sum, need) => sum + need.bytes, 0);
    if (total <= disk.free) return [];
    const list = disk.needs.filter((need) => need.bytes > 0).map((need) => `${need.what} ${bytesText(need.bytes)}`);
    return [
      {
        code: 'DISK_FULL',
        text: `${disk.path} needs ${bytesText(total)}, ${bytesText(disk.free)} are free (${list.join(', ')})`,
        fix: `Free ${bytesText(total - disk.free)} there, or move the directory to a larger disk.`,
      },
    ];
  });
}
/** What a throwaway server needs in Docker's data directory, for a database of that size. */
export function scratchBytes(databaseBytes: number): number {
  return emptyServerBytes + databaseBytes;
}
/** @throws AirdockError DISK_FULL, before anything is written */
export async function assertFree(directory: string, need: Need): Promise<void> {
  assertNoFinding(diskFindings(await diskLedger([{ path: directory, need }])));
}
/** Checks that there is room for a throwaway server with the backup. @throws AirdockError DISK_FULL */
export async function assertDiskToProve({ docker }: Site, metadata: BackupMetadata): Promise<void> {
  await assertFree((await docker.info()).rootDir, { what: 'restored backup', bytes: scratchBytes(restoredBytes(metadata)) });
}
