import { createHash } from 'node:crypto';
import { close, fsync, openSync, writeFile } from 'node:fs';
import { Writable } from 'node:stream';
import { type Digest, finish } from '../../../digest.ts';

type Done = (error?: Error | null) => void;

/** A new file, mode 0600. It is hashed while it is written, and on disk (fsync) when the stream has finished. */
export class HashedFile extends Writable {
  readonly #descriptor: number;
  readonly #hash = createHash('sha256');
  readonly #onBytes: ((bytes: number) => void) | undefined;
  bytes = 0;

  constructor(path: string, onBytes?: (bytes: number) => void) {
    super({ highWaterMark: 2 ** 20 });
    this.#descriptor = openSync(path, 'wx', 0o600);
    this.#onBytes = onBytes;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    // with a descriptor, writeFile continues after the last write, and writes everything
    writeFile(this.#descriptor, chunk, done);
    this.#hash.update(chunk);
    this.bytes += chunk.length;
    this.#onBytes?.(this.bytes);
  }

  override _final(done: Done): void {
    fsync(this.#descriptor, done);
  }

  override _destroy(error: Error | null, done: Done): void {
    close(this.#descriptor, (failed) => done(error ?? failed ?? null));
  }

  /** Call once, after the end. */
  digest(): Digest {
    return finish(this.#hash);
  }
}
