import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { AirdockError, systemCode } from '../errors.ts';

const chunkSize = 1024 * 1024;
/** Bytes that one read takes for small parts: padding, headers and files lie next to each other. */
const windowSize = 64 * 1024;

export type ChunkOptions = {
  signal?: AbortSignal | undefined;
  /**
   * A chunk is valid only until the next one is read: two buffers take turns, instead of garbage that V8 lets grow to
   * 64 MiB. Not for a consumer that hands chunks to a stream, which keeps them until they are sent.
   */
  lend?: boolean | undefined;
};

/**
 * A file that is opened once and read by position, so that replacing the file while it is read has no effect
 * (docs/FORMAT.md section 9; CVE-2020-25860 is what happens otherwise).
 */
export class Source {
  readonly path: string;
  readonly size: number;
  readonly #handle: FileHandle;
  readonly #modified: bigint;
  #window = { at: 0, bytes: Buffer.of() };

  private constructor(path: string, handle: FileHandle, size: number, modified: bigint) {
    this.path = path;
    this.#handle = handle;
    this.size = size;
    this.#modified = modified;
  }

  /** @throws FILE_NOT_FOUND, BUNDLE_UNREADABLE */
  static async open(path: string): Promise<Source> {
    const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((cause: unknown) => {
      if (systemCode(cause) === 'ENOENT') throw new AirdockError('FILE_NOT_FOUND', `there is no file ${path}`, { cause });
      throw new AirdockError('BUNDLE_UNREADABLE', `${path} cannot be opened`, { cause });
    });
    const stat = await handle.stat({ bigint: true });
    if (!stat.isFile()) {
      await handle.close();
      throw new AirdockError('BUNDLE_UNREADABLE', `${path} is not a regular file`);
    }
    return new Source(path, handle, Number(stat.size), stat.mtimeNs);
  }

  /** Reads exactly `length` bytes. @throws BUNDLE_TRUNCATED */
  async read(position: number, length: number): Promise<Buffer> {
    if (position + length > this.size) throw truncated(this.path);
    if (length <= windowSize / 2) return this.#small(position, length);
    const buffer = Buffer.allocUnsafeSlow(length);
    await this.#fill(buffer, position);
    return buffer;
  }

  async #small(position: number, length: number): Promise<Buffer> {
    let { at, bytes } = this.#window;
    if (position < at || position + length > at + bytes.length) {
      at = position;
      bytes = Buffer.allocUnsafeSlow(Math.min(windowSize, this.size - position));
      await this.#fill(bytes, position);
      this.#window = { at, bytes };
    }
    return Buffer.from(bytes.subarray(position - at, position - at + length));
  }

  async #fill(buffer: Buffer, position: number): Promise<void> {
    const { length } = buffer;
    let filled = 0;
    while (filled < length) {
      const { bytesRead } = await this.#handle.read(buffer, filled, length - filled, position + filled);
      if (bytesRead === 0) throw truncated(this.path);
      filled += bytesRead;
    }
  }

  /** The bytes in large chunks; the next chunk is being read while the consumer works on the current one. */
  async *chunks(position: number, length: number, { signal, lend = false }: ChunkOptions = {}): AsyncIterable<Buffer> {
    const end = position + length;
    if (end > this.size) throw truncated(this.path);
    const lent = lend ? [0, 1].map(() => Buffer.allocUnsafeSlow(Math.min(chunkSize, length))) : [];
    const start = (from: number): Promise<Buffer> => {
      const size = Math.min(chunkSize, end - from);
      const buffer = lent[((from - position) / chunkSize) % 2]?.subarray(0, size) ?? Buffer.allocUnsafeSlow(size);
      const reading = this.#fill(buffer, from).then(() => buffer);
      // The promise is awaited in its turn, but never by a consumer that stops early.
      reading.catch(() => {});
      return reading;
    };
    let next = length > 0 ? start(position) : undefined;
    for (let at = position; next !== undefined; at += chunkSize) {
      signal?.throwIfAborted();
      const chunk: Buffer = await next;
      next = at + chunkSize < end ? start(at + chunkSize) : undefined;
      yield chunk;
    }
  }

  /** @throws BUNDLE_UNREADABLE when the file was written to since it was opened */
  async assertUnchanged(): Promise<void> {
    const stat = await this.#handle.stat({ bigint: true });
    if (Number(stat.size) === this.size && stat.mtimeNs === this.#modified) return;
    throw new AirdockError('BUNDLE_UNREADABLE', `${this.path} changed while it was read`, {
      hint: 'Wait until the copy has ended, then run the same command again.',
    });
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}

function truncated(path: string): AirdockError {
  return new AirdockError('BUNDLE_TRUNCATED', `${path} ends too early: it was cut short`, {
    hint: 'Copy the bundle again and compare its size with the original.',
  });
}
