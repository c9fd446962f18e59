import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createGunzip, createGzip, createZstdDecompress } from 'node:zlib';
import { DigestStream, type Digest } from '../digest.ts';
import { systemCode } from '../errors.ts';
import { corrupt } from './manifest.ts';
import type { Blob } from './source.ts';

/** For larger blobs, ISIZE (the size modulo 4 GiB) could mean more than one plausible size. */
const trustedSize = 1 << 30;

/**
 * Size of the tar in a gzip layer. RFC 1952 section 2.3.1: the last four bytes are the size of the last member, modulo
 * 4 GiB. That is used when it is plausible (a tar is a multiple of 512 and hardly smaller than its gzip); otherwise the
 * layer is inflated once.
 * @throws AirdockError SOURCE_CORRUPT when it is not gzip
 */
export async function uncompressedSize(blob: Blob, trailer: { first: Buffer; last: Buffer }, what: string): Promise<number> {
  if (trailer.first[0] !== 0x1f || trailer.first[1] !== 0x8b)
    throw corrupt(what, 'its media type is gzip, but its content is not');
  const stated = trailer.last.length === 4 ? trailer.last.readUInt32LE() : 0;
  if (blob.size <= trustedSize && stated % 512 === 0 && stated >= blob.size * 0.99) return stated;
  let size = 0;
  try {
    await pipeline(Readable.from(blob.open()), createGunzip({ chunkSize: 1 << 18 }), async (tar: AsyncIterable<Buffer>) => {
      for await (const chunk of tar) size += chunk.length;
    });
  } catch (error) {
    throw systemCode(error)?.startsWith('Z_') ? corrupt(what, 'its compression is damaged', error) : error;
  }
  return size;
}

/**
 * Compresses a raw layer: level 6 of Node's zlib, no name, mtime 0 (Node writes neither), so that the same layer always gives
 * the same bytes with the same Node. `whenDone` gets digest and size of the tar after the last chunk.
 */
export async function* gzipped(
  raw: AsyncIterable<Buffer>,
  whenDone: (diffId: Digest, size: number) => void,
): AsyncIterable<Buffer> {
  const tar = new DigestStream();
  const gzip = createGzip({ level: 6, chunkSize: 1 << 17 });
  const compress = pipeline(Readable.from(raw), tar, gzip);
  // an error reaches the reader through gzip; this keeps it from being reported as unhandled as well
  compress.catch(() => {});
  yield* gzip as AsyncIterable<Buffer>;
  await compress;
  whenDone(tar.digest(), tar.bytes);
}

/** The uncompressed tar of a layer. The compression is recognised by the first bytes, as engines do. */
export async function* inflated(stored: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  const chunks = stored[Symbol.asyncIterator]();
  const first = await chunks.next();
  if (first.done) return;
  const whole = async function* (): AsyncIterable<Buffer> {
    yield first.value;
    for (let next = await chunks.next(); !next.done; next = await chunks.next()) yield next.value;
  };
  const magic = first.value.length >= 4 ? first.value.readUInt32BE() : 0;
  if (magic >>> 16 === 0x1f8b) yield* Readable.from(whole()).compose(createGunzip()) as AsyncIterable<Buffer>;
  else if (magic === 0x28b52ffd) {
    const window = { params: { [constants.ZSTD_d_windowLogMax]: 27 } };
    yield* Readable.from(whole()).compose(createZstdDecompress(window)) as AsyncIterable<Buffer>;
  } else yield* whole();
}
