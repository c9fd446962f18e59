import type { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import type { Digest } from '../digest.ts';
import type { StoredBlob } from '../images/blob-store.ts';

/** The bytes of one blob on disk. */

const chunkSize = 1 << 20;

export function storedBlob({ digest, size }: { digest: Digest; size: number }, path: string): StoredBlob {
  return {
    digest,
    size,
    open: () => createReadStream(path, { highWaterMark: chunkSize }) as AsyncIterable<Buffer>,
    ends: () => readEnds(path, size),
    lend: () => lend(path),
  };
}

/** Writes the chunks from `offset` on and hashes them. @returns the position after the last byte */
export async function append(
  handle: FileHandle,
  chunks: AsyncIterable<Buffer>,
  hash: ReturnType<typeof createHash>,
  offset: number,
  onBytes: (bytes: number) => void,
  signal?: AbortSignal,
): Promise<number> {
  let position = offset;
  for await (const chunk of chunks) {
    signal?.throwIfAborted();
    // The disk and the hash work at the same time; both are done with the chunk before the next one is read, because its buffer is used again.
    const writing = writeAll(handle, chunk, position);
    hash.update(chunk);
    await writing;
    position += chunk.length;
    onBytes(chunk.length);
  }
  return position;
}

/** The whole file in chunks. Two buffers take turns: a chunk is valid until the next but one is read. */
export async function* lend(path: string): AsyncIterable<Buffer> {
  const handle = await open(path, 'r');
  try {
    yield* lentChunks(handle, Infinity);
  } finally {
    await handle.close();
  }
}

/** The first `size` bytes of a file in chunks. Two buffers take turns: a chunk is valid until the next but one is read. */
export async function* lentChunks(handle: FileHandle, size: number): AsyncIterable<Buffer> {
  const buffers = [Buffer.allocUnsafeSlow(chunkSize), Buffer.allocUnsafeSlow(chunkSize)];
  for (let turn = 0, position = 0; position < size; turn = 1 - turn) {
    const buffer = buffers[turn] as Buffer;
    const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, size - position), position);
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

async function readEnds(path: string, size: number): Promise<{ first: Buffer; last: Buffer }> {
  const handle = await open(path, 'r');
  try {
    const first = Buffer.alloc(2);
    const last = Buffer.alloc(Math.min(4, size));
    await handle.read(first, 0, 2, 0);
    await handle.read(last, 0, last.length, size - last.length);
    return { first, last };
  } finally {
    await handle.close();
  }
}

async function writeAll(handle: FileHandle, chunk: Buffer, position: number): Promise<void> {
  for (let written = 0; written < chunk.length;) {
    const { bytesWritten } = await handle.write(chunk, written, chunk.length - written, position + written);
    written += bytesWritten;
  }
}
