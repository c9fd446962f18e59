import { createHash } from 'node:crypto';
import { finish, type Digest } from '../digest.ts';
import { AirdockError } from '../errors.ts';
import { blobsOf, derivedFiles, fullName, type NameOf } from './layout.ts';
import type { ImageRecord } from './manifest.ts';
import { blobName } from './names.ts';
import { archiveEnd, encodeHeader, padding } from './tar.ts';

export type DockerArchive = {
  images: readonly ImageRecord[];
  /** The name that the engine gives each image; the release's own by default. */
  nameOf?: NameOf | undefined;
  /** Layers that the engine has already. Check the images after the load: a missing layer is not an error of the archive. */
  leaveOut?: ((layer: Digest) => boolean) | undefined;
  openBlob: (digest: Digest, size: number) => AsyncIterable<Buffer>;
};

/**
 * The archive that every engine and image store loads (docs/FORMAT.md section 5), for the given images. Blobs are hashed
 * again while they are read; when a digest differs, the archive ends before its end marker.
 * @throws STORE_CORRUPT
 */
export async function* dockerArchive({
  images,
  nameOf = fullName,
  leaveOut,
  openBlob,
}: DockerArchive): AsyncGenerator<Buffer, void> {
  for (const [name, bytes] of derivedFiles(images, nameOf)) {
    yield Buffer.concat([encodeHeader({ name, size: bytes.length, mtime: 0 }), bytes, padding(bytes.length)]);
  }
  for (const { digest, size, kind } of blobsOf(images)) {
    if (kind === 'layer' && leaveOut?.(digest)) continue;
    yield encodeHeader({ name: blobName(digest), size, mtime: 0 });
    yield* checked(digest, size, openBlob(digest, size));
    yield padding(size);
  }
  yield archiveEnd;
}

async function* checked(digest: Digest, size: number, chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of chunks) {
    hash.update(chunk);
    bytes += chunk.length;
    if (bytes > size) break;
    yield chunk;
  }
  if (bytes === size && finish(hash) === digest) return;
  throw new AirdockError('STORE_CORRUPT', `the stored blob ${digest} is damaged`, {
    hint: 'Install from the bundle again: that restores the blob.',
    details: { digest },
  });
}
