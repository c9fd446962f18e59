import { createHash } from 'node:crypto';
import { digestOf, finish, type Digest } from '../digest.ts';
import { AirdockError } from '../errors.ts';
import { checkManifest } from './agreement.ts';
import { blobsOf, derivedFiles, mtimeOf, releaseEntries, type ReleaseEntry } from './layout.ts';
import { encodeManifest, parseManifest } from './manifest-codec.ts';
import type { BundleManifest } from './manifest.ts';
import { blobName, manifestName, signatureName, sumsName, trustName } from './names.ts';
import { encodeSlot, unsignedSlot } from './signature.ts';
import { formatSums } from './sums.ts';
import { archiveEnd, encodeHeader, maxEntrySize, padding } from './tar.ts';
import { Target } from './target.ts';
import type { TrustChain } from './trust.ts';

/** The writer does not use a chunk after it reads the next one, so `open` may reuse its buffers. */
export type BlobInput = { digest: Digest; size: number; open(): AsyncIterable<Buffer> };

export type FileContent = Buffer | Pick<BlobInput, 'open'>;

export type BundleInput = {
  manifest: BundleManifest;
  /** The content of each of `manifest.files`, by its path. */
  files: ReadonlyMap<string, FileContent>;
  /** All blobs of `manifest.images`, in any order. */
  blobs: readonly BlobInput[];
  /** Carried as `trust.json`. */
  trust?: TrustChain | undefined;
  /** Without it the bundle is unsigned, and `airdock sign` signs it in place. */
  sign?: ((sumsBytes: Buffer) => Buffer) | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: ((bytes: number, total: number) => void) | undefined;
};

/**
 * Writes a full bundle (docs/FORMAT.md) in one pass. Every byte is compared with the manifest while it is written, so the
 * signature covers only what is in the file. After a failure no file is left.
 * @returns size and digest of the file
 * @throws SOURCE_CORRUPT, LAYER_TOO_LARGE, DISK_FULL, BUNDLE_MANIFEST_INVALID
 */
export async function writeBundle(target: string, input: BundleInput): Promise<{ size: number; digest: Digest }> {
  const { manifest, sign, signal } = input;
  refuseLargeLayers(manifest);
  // Fail now if the manifest could not be read again.
  parseManifest(encodeManifest(manifest));
  checkManifest(manifest);
  const entries = [...trustEntry(input), ...releaseEntries(manifest)];
  const sumsBytes = formatSums(new Map(entries.map(({ name, digest }) => [name, digest])));
  const slot = sign ? encodeSlot(sign(sumsBytes)) : unsignedSlot;
  const contents = contentsOf(input);
  const mtime = mtimeOf(manifest);
  const total = entries.reduce((sum, { size }) => sum + size, 0);
  let done = 0;

  signal?.throwIfAborted();
  const out = await Target.create(target);
  try {
    for (const [name, bytes] of [[sumsName, sumsBytes] as const, [signatureName, slot] as const]) {
      await out.write(encodeHeader({ name, size: bytes.length, mtime }));
      await out.write(bytes);
      await out.write(padding(bytes.length));
    }
    for (const entry of entries) {
      await out.write(encodeHeader({ name: entry.name, size: entry.size, mtime }));
      for await (const chunk of checked(entry, contents.get(entry.name))) {
        signal?.throwIfAborted();
        await out.write(chunk);
        done += chunk.length;
        input.onProgress?.(done, total);
      }
      await out.write(padding(entry.size));
    }
    await out.write(archiveEnd);
    signal?.throwIfAborted();
    return await out.commit();
  } catch (error) {
    await out.discard();
    throw error;
  }
}

type Content = () => AsyncIterable<Buffer> | Iterable<Buffer>;

function trustEntry({ trust }: BundleInput): ReleaseEntry[] {
  if (!trust) return [];
  return [{ name: trustName, digest: digestOf(trust.bytes), size: trust.bytes.length, mayBeLeftOut: false }];
}

function contentsOf({ manifest, files, blobs, trust }: BundleInput): Map<string, Content> {
  const contents = new Map<string, Content>();
  const add = (name: string, bytes: Buffer): void => void contents.set(name, () => [bytes]);
  if (trust) add(trustName, trust.bytes);
  add(manifestName, encodeManifest(manifest));
  for (const [name, bytes] of derivedFiles(manifest.images)) add(name, bytes);
  for (const [name, file] of files) {
    if (Buffer.isBuffer(file)) add(name, file);
    else contents.set(name, () => file.open());
  }
  for (const blob of blobs) contents.set(blobName(blob.digest), () => blob.open());
  return contents;
}

/** The bytes of an entry. @throws SOURCE_CORRUPT when they differ from `SHA256SUMS` (FORMAT.md 2) */
async function* checked({ name, size, digest }: ReleaseEntry, content: Content | undefined): AsyncIterable<Buffer> {
  if (!content) throw new AirdockError('INTERNAL', `the build gave no content for ${name}`);
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of content()) {
    hash.update(chunk);
    bytes += chunk.length;
    if (bytes > size) break;
    yield chunk;
  }
  if (bytes !== size || finish(hash) !== digest) {
    throw new AirdockError('SOURCE_CORRUPT', `${name} changed during the build`, {
      hint: 'Run the build again. A file that was being edited or a damaged cache can be the reason.',
    });
  }
}

/** Layers of 8 GiB or more do not fit the size field of a tar header (FORMAT.md 8). */
function refuseLargeLayers(manifest: BundleManifest): void {
  const large = blobsOf(manifest.images).find(({ size }) => size > maxEntrySize);
  if (!large) return;
  const image = manifest.images.find(({ layers }) => layers.some(({ digest }) => digest === large.digest));
  throw new AirdockError('LAYER_TOO_LARGE', `a layer of ${image?.reference ?? 'an image'} has 8 GiB or more: ${large.digest}`, {
    hint: 'Split the layer: a bundle carries layers below 8 GiB.',
  });
}
