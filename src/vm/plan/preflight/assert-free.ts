import type { BackupMetadata } from '../../../data/postgres/backup/backup-metadata.ts';
import { assertNoFinding } from '../../transaction/begin.ts';
import { diskFindings, restoredBytes, scratchBytes } from './disk-findings.ts';
import { diskLedger, type Need } from './disk.ts';
import type { Site } from '../../site/site.ts';

/** @throws AirdockError DISK_FULL, before anything is written */
export async function assertFree(directory: string, need: Need): Promise<void> {
  assertNoFinding(diskFindings(await diskLedger([{ path: directory, need }])));
}

/** Room for a throwaway server with that backup. @throws AirdockError DISK_FULL */
export async function assertRoomToProve({ docker }: Site, metadata: BackupMetadata): Promise<void> {
  await assertFree((await docker.info()).rootDir, { what: 'restored backup', bytes: scratchBytes(restoredBytes(metadata)) });
}
