import { createReadStream } from 'node:fs';
import { PassThrough, Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { AirdockError } from '../../../errors.ts';

/** Encrypted backups, with age (https://c2sp.org/age; docs/adr/0010-encrypted-backups.md). The library is loaded only when it is needed. */

type Pair = { recipient: string; identity: string };

/** Who can read the backups of a deployment. */
export type BackupKeys = {
  /** `age1…`, as recorded for the deployment. Without recipients backups are not encrypted. */
  recipients: readonly string[];
  /** `AGE-SECRET-KEY-1…`, from the operator. */
  identities: readonly string[];
  /** A pair of this process, in memory only, to read back what the process wrote. */
  own?: Pair;
};

export const noKeys: BackupKeys = { recipients: [], identities: [] };

/** Ends the name of an encrypted file. */
export const sealedSuffix = '.age';

/** Makes the keys; with recipients, also a pair for this process. */
export async function backupKeys(recipients: readonly string[], identities: readonly string[]): Promise<BackupKeys> {
  if (recipients.length === 0) return { recipients, identities };
  const { generateX25519Identity, identityToRecipient } = await import('age-encryption');
  const identity = await generateX25519Identity();
  return { recipients, identities, own: { identity, recipient: await identityToRecipient(identity) } };
}

/** @throws AirdockError USAGE for text that is not an age recipient, and for ssh and plugin recipients, which the library does not support */
export async function assertRecipient(text: string): Promise<void> {
  const { Encrypter } = await import('age-encryption');
  try {
    new Encrypter().addRecipient(text);
  } catch (cause) {
    throw new AirdockError('USAGE', `${text} is not an age recipient`, {
      hint: 'A recipient begins with age1; age-keygen prints it as "public key". Recipients of ssh and of plugins are not supported.',
      cause,
    });
  }
}

/** Reads the identities in a file of `age-keygen`: one a line, comments begin with `#`. @throws AirdockError KEY_UNREADABLE */
export async function parseIdentities(text: string, file: string): Promise<string[]> {
  const { Decrypter } = await import('age-encryption');
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '' && !line.startsWith('#'));
  try {
    if (lines.length === 0) throw new Error('it is empty');
    for (const line of lines) new Decrypter().addIdentity(line);
    return lines;
  } catch (cause) {
    throw new AirdockError('KEY_UNREADABLE', `${file} is not a file of age identities`, {
      hint: 'Such a file has lines that begin with AGE-SECRET-KEY-1, as age-keygen writes them. Decrypt a file with a passphrase first: age -d FILE',
      cause,
    });
  }
}

/** Encrypts what is written to `input`; read it from `sealed`. An error of either destroys the other. */
export async function seal({ recipients, own }: BackupKeys): Promise<{ input: PassThrough; sealed: Readable }> {
  const { Encrypter } = await import('age-encryption');
  const encrypter = new Encrypter();
  for (const recipient of [...recipients, ...(own ? [own.recipient] : [])]) encrypter.addRecipient(recipient);
  const input = new PassThrough();
  const stream = await encrypter.encrypt(Readable.toWeb(input) as globalThis.ReadableStream);
  return { input, sealed: Readable.fromWeb(stream as ReadableStream) };
}

/** The content of a backup's file, decrypted if its name ends with `.age`. @throws AirdockError IDENTITY_NEEDED */
export async function openBackupFile(path: string, { identities, own }: BackupKeys): Promise<Readable> {
  // small pieces keep memory small: the allocator reuses them at once
  const file = createReadStream(path, { highWaterMark: 2 ** 16 });
  if (!path.endsWith(sealedSuffix)) return file;
  const { Decrypter } = await import('age-encryption');
  const decrypter = new Decrypter();
  for (const identity of [...identities, ...(own ? [own.identity] : [])]) decrypter.addIdentity(identity);
  try {
    const stream = await decrypter.decrypt(Readable.toWeb(file) as globalThis.ReadableStream);
    return Readable.fromWeb(stream as ReadableStream);
  } catch (cause) {
    file.destroy();
    if (!(cause instanceof Error) || !/no identity/.test(cause.message)) throw cause;
    throw new AirdockError('IDENTITY_NEEDED', `${path} is encrypted, and no given identity can decrypt it`, {
      hint: 'Give the identity of one of its recipients (encryptedTo in metadata.json): --identity FILE',
      cause,
    });
  }
}

export async function readBackupText(path: string, keys: BackupKeys): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of await openBackupFile(path, keys)) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks).toString('utf8');
}
