import type { BackupMetadata } from '../../../data/postgres/backup/backup.ts';
import { bytesText } from '../../../units.ts';
import type { Finding } from '../document.ts';
import type { DiskFacts } from './disk.ts';

/** What is not there, for each file system. */
export function diskFindings(ledger: readonly DiskFacts[]): Finding[] {
  return ledger.flatMap((disk) => {
    const total = disk.needs.reduce((sum, need) => sum + need.bytes, 0);
    if (total <= disk.free) return [];
    const list = disk.needs.filter((need) => need.bytes > 0).map((need) => `${need.what} ${bytesText(need.bytes)}`);
    return [
      {
        code: 'DISK_FULL',
        text: `${disk.path} needs ${bytesText(total)}, ${bytesText(disk.free)} are free (${list.join(', ')})`,
        fix: `Free ${bytesText(total - disk.free)} there, or move it to a larger disk.`,
      },
    ];
  });
}

/** An empty server, and the write-ahead log that it may keep (scratch-file.ts). */
const emptyServer = 200e6;

/** What a throwaway server takes in Docker's data directory, with a database of that size. */
export function scratchBytes(databaseBytes: number): number {
  return emptyServer + databaseBytes;
}

/** Size of the database that a backup was made of. An older airdock did not write it down: a dump is rarely an eighth. */
export function restoredBytes({ databaseBytes, dump }: BackupMetadata): number {
  return databaseBytes ?? dump.bytes * 8;
}
