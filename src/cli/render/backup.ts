import type { BackupEntry } from '../../vm/backups/list.ts';
import { bytesText } from '../../units.ts';

/** One line: id, size, release, whether it is known to restore. */
export function backupText({ id, bytes, release, state, provenAt, encrypted }: BackupEntry): string {
  const stateText = state === 'proven' ? `proven ${provenAt ?? ''}`.trim() : state;
  return `${id.padEnd(12)} ${bytesText(bytes).padStart(9)}  ${(release ?? '-').padEnd(10)} ${stateText}${encrypted ? ', encrypted' : ''}`;
}
