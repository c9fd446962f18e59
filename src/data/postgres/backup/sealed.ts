import { createReadStream } from 'node:fs';
import { PassThrough, Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { AirdockError } from '../../../errors.ts';

/** Backups for recipients of age (https://c2sp.org/age; docs/adr/0010-encrypted-backups.md). The library is loaded when one is asked for. */

type Pair = { recipient: string; identity: string };

/** Who can read the backups of a deployment. */
export type BackupKeys = {
  /** On record: `age1…`. None: backups are not encrypted. */
  recipients: readonly string[];
  /** What the operator gave: `AGE-SECRET-KEY-1…`. */
  identities: readonly string[];
  /** Of this process, in memory alone: it must read back what it has written. */
  own?: Pair;
};

export const noKeys: BackupKeys = { recipients: [], identities: [] };

/** Behind the name of an encrypted file. */
export const sealedSuffix = '.age';

/** With a pair for this process, where there are recipients. */
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
    throw new AirdockError('USAGE', `${text} is no recipient of age`, {
      hint: 'It begins with age1 and is what age-keygen prints as "public key". Recipients of ssh and of plugins are not supported.',
      cause,
    });
  }
}

/** The identities of a file as `age-keygen` writes it: one a line, comments begin with `#`. @throws AirdockError KEY_UNREADABLE */
export async function parseIdentities(text: string, file: string): Promise<string[]> {
  const { Decrypter } = await import('age-encryption');
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '' && !line.startsWith('#'));
  try {
    if (lines.length === 0) throw new Error('it is empty');
    for (const line of lines) new Decrypter().addIdentity(line);
    return lines;
  } catch (cause) {
    throw new AirdockError('KEY_UNREADABLE', `${file} holds no identity of age`, {
      hint: 'It has lines that begin with AGE-SECRET-KEY-1, as age-keygen writes them. One with a passphrase: age -d FILE first.',
      cause,
    });
  }
}

/** What goes into `input` comes out of `sealed`. An error of either destroys the other. */
export async function seal({ recipients, own }: BackupKeys): Promise<{ input: PassThrough; sealed: Readable }> {
  const { Encrypter } = await import('age-encryption');
  const encrypter = new Encrypter();
  for (const recipient of [...recipients, ...(own ? [own.recipient] : [])]) encrypter.addRecipient(recipient);
  const input = new PassThrough();
  const stream = await encrypter.encrypt(Readable.toWeb(input) as globalThis.ReadableStream);
  return { input, sealed: Readable.fromWeb(stream as ReadableStream) };
}

/** The content of a backup's file, encrypted or not, as its name tells. @throws AirdockError IDENTITY_NEEDED */
export async function openBackupFile(path: string, { identities, own }: BackupKeys): Promise<Readable> {
  // pieces that the allocator uses again at once, as in install/store.ts
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
    throw new AirdockError('IDENTITY_NEEDED', `${path} is encrypted, and none of the identities here can read it`, {
      hint: 'Give the identity of one of its recipients (metadata.json, encryptedTo): --identity FILE',
      cause,
    });
  }
}

export async function readBackupText(path: string, keys: BackupKeys): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of await openBackupFile(path, keys)) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks).toString('utf8');
}
