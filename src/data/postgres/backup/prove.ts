import { compareFingerprints } from '../compare/compare-fingerprints.ts';
import { fingerprint, takeFingerprint, type Fingerprint } from '../compare/fingerprint.ts';
import type { BackupMetadata } from './backup-metadata.ts';
import { restoreBackup } from './restore.ts';
import { psql, type DatabaseTarget } from '../server/server.ts';
import { checkBackup, recordVerdict, type CheckedBackup, type StoredBackup } from './stored-backup.ts';
import { AirdockError, isAirdockError } from '../../../errors.ts';
import type { BackupKeys } from './sealed.ts';

/** A backup is proven by restoring it and comparing (docs/adr/0007). */

const shownDifferences = 20;
/** application_name of the sessions on a scratch server, which has no others. */
const session = 'airdock-prove';

type Options = { signal?: AbortSignal | undefined; onProgress?: ((bytes: number, total: number) => void) | undefined };

export type Proof = { metadata: BackupMetadata; database: DatabaseTarget; restoredFingerprint: Fingerprint };

type Proving = { host: { clock: () => Date }; keys: BackupKeys };

/** Checks that every file has its recorded hash and can be read. @throws AirdockError BACKUP_DAMAGED, which is also recorded; IDENTITY_NEEDED */
export async function checkedBackup(site: Proving, backup: StoredBackup, signal?: AbortSignal): Promise<CheckedBackup> {
  try {
    return await checkBackup(backup, site.keys, signal);
  } catch (error) {
    if (isAirdockError(error, 'BACKUP_DAMAGED')) await recordVerdict(backup, { damagedAt: now(site) });
    throw error;
  }
}

/**
 * Restores a backup into the scratch server, under the database's own name, and compares. The restored database stays there.
 * @throws AirdockError BACKUP_UNPROVEN with the tool's message or the differences; the result is recorded
 */
export async function proveIn(
  site: Proving,
  { server }: { server: DatabaseTarget },
  backup: CheckedBackup,
  options: Options = {},
): Promise<Proof> {
  const name = backup.metadata.database;
  // the image makes a database `postgres`, and that may be the name of the live one
  await psql(server, 'RESTORE_FAILED', { input: Buffer.from('DROP DATABASE IF EXISTS :"name"') }, { name });
  return restoreAndCompare(site, server, backup, { ...options, name, applicationName: session });
}

/** The name of the restored database, and the application_name of the sessions. */
type Restore = Options & { name: string; applicationName: string };

/**
 * Restores a backup as a new database of a server, and compares its fingerprint with the stored one. The result is recorded.
 * @throws AirdockError BACKUP_UNPROVEN
 */
export async function restoreAndCompare(
  site: Proving,
  server: DatabaseTarget,
  backup: CheckedBackup,
  { name, applicationName, signal, onProgress }: Restore,
): Promise<Proof> {
  const { metadata } = backup;
  try {
    const asked = { applicationName, signal };
    const stored = await storedFingerprint(backup);
    const { target } = await restoreBackup({
      ...asked,
      server,
      backup,
      name,
      onProgress: onProgress && ((bytes) => onProgress(bytes, metadata.dump.bytes)),
    });
    const found = await takeFingerprint(target, asked);
    const differences = compareFingerprints(stored, found);
    if (differences.length > 0) throw differs(metadata, differences);
    return { metadata: await recordVerdict(backup, { provenAt: now(site) }), database: target, restoredFingerprint: found };
  } catch (error) {
    const failure = isAirdockError(error, 'RESTORE_FAILED') ? notRestored(metadata, error) : error;
    if (isAirdockError(failure, 'BACKUP_UNPROVEN')) await recordVerdict(backup, { unproven: true });
    throw failure;
  }
}

async function storedFingerprint({ metadata, text }: CheckedBackup): Promise<Fingerprint> {
  if (metadata.fingerprint === undefined)
    throw new AirdockError('BACKUP_UNPROVEN', `the backup ${metadata.id} has no fingerprint to compare a restore with`, {
      hint: 'An older airdock made it. Make a new one: airdock backup create',
      details: { backup: metadata.id },
    });
  return fingerprint.parse(JSON.parse(await text(metadata.fingerprint)));
}

function differs({ id }: BackupMetadata, differences: readonly string[]): AirdockError {
  const shown = differences.slice(0, shownDifferences);
  const more = differences.length - shown.length;
  const lines = [...shown, ...(more > 0 ? [`and ${more} more`] : [])].map((line) => `  ${line}`);
  return new AirdockError(
    'BACKUP_UNPROVEN',
    `the backup ${id} was restored on another server, and the result differs from the original:\n${lines.join('\n')}`,
    {
      hint: 'The backup is kept, and shown as unproven. Do not rely on it. Send the differences to the vendor, and keep an older backup that is proven.',
      details: { backup: id, differences: shown, count: differences.length },
    },
  );
}

function notRestored({ id }: BackupMetadata, cause: AirdockError): AirdockError {
  return new AirdockError('BACKUP_UNPROVEN', `the backup ${id} cannot be restored on another server: ${cause.message}`, {
    hint: 'The backup is kept, and shown as unproven. Do not rely on it. Send this message to the vendor, and keep an older backup that is proven.',
    cause,
    details: { backup: id },
  });
}

function now(site: Proving): string {
  return `${site.host.clock().toISOString().slice(0, 19)}Z`;
}
