import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { hexOf } from '../../../digest.ts';
import { HashedFile } from './hashed-file.ts';
import { type BackupKeys, openBackupFile, seal, sealedSuffix } from './sealed.ts';

/** A file in the folder of a backup, encrypted if the backup is. `sha256` in hex. */
export type Written = { file: string; bytes: number; sha256: string };

/** Writes the files of one backup. Each is hashed while it is written, and durable afterwards. */
export class BackupWriter {
  readonly #folder: string;
  readonly #keys: BackupKeys;

  constructor(folder: string, keys: BackupKeys) {
    this.#folder = folder;
    this.#keys = keys;
  }

  text(name: string, text: string): Promise<Written> {
    return this.stream(name, (sink) => Promise.resolve(sink.end(text)));
  }

  /** Writes what `fill` puts into the sink; `fill` must end the sink. Throws the first error, of `fill` or of the disk. */
  async stream(name: string, fill: (sink: Writable) => Promise<unknown>, onBytes?: (bytes: number) => void): Promise<Written> {
    const sealed = this.#keys.recipients.length > 0 ? await seal(this.#keys) : undefined;
    const written = sealed ? name + sealedSuffix : name;
    const file = new HashedFile(join(this.#folder, written), onBytes);
    try {
      if (sealed) await both(pipeline(sealed.sealed, file), fill(sealed.input), sealed.input);
      else await both(finished(file), fill(file), file);
    } finally {
      file.destroy();
    }
    return { file: written, bytes: file.bytes, sha256: hexOf(file.digest()) };
  }

  /** Reads a written file, decrypted. */
  open({ file }: Written) {
    return openBackupFile(join(this.#folder, file), this.#keys);
  }
}

/** Waits for both. Throws the error of the one that failed first. */
async function both(written: Promise<unknown>, filled: Promise<unknown>, sink: Writable): Promise<void> {
  const failures: unknown[] = [];
  const note = (error: unknown): void => void failures.push(error);
  const end = (error: unknown): void => {
    note(error);
    sink.destroy();
  };
  await Promise.all([written.catch(note), filled.catch(end)]);
  if (failures.length > 0) throw failures[0];
}
