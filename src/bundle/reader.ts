import { digestOf, type Digest } from '../digest.ts';
import { AirdockError } from '../errors.ts';
import { agree } from './agreement.ts';
import { checkDigest, checkedChunks } from './checked.ts';
import { readEntries, readFront, type Entry, type Front } from './entries.ts';
import { checkImageDocuments } from './image-documents.ts';
import { blobsOf, mtimeOf, type ReleaseEntry } from './layout.ts';
import { parseManifest } from './manifest-codec.ts';
import type { BundleManifest } from './manifest.ts';
import { blobName, manifestName, trustName } from './names.ts';
import type { BundleBlob, BundleInstaller, Release } from './release.ts';
import type { Authorize, Authorized } from './authorize.ts';
import { decodeSlot } from './signature.ts';
import { parseTrust, type TrustChain } from './trust.ts';
import { Source } from './source.ts';
import { parseSums } from './sums.ts';

export type OpenBundle = Release & { readonly signer: Authorized };

export type OpenOptions = { authorize: Authorize; signal?: AbortSignal | undefined };

/**
 * Opens a bundle and checks it up to step 6 of docs/FORMAT.md section 9, so that a file that is cut short or has extra
 * data is refused before any of it is used. Only layers and installers remain, which are hashed when they are read.
 */
export async function openBundle(path: string, { authorize, signal }: OpenOptions): Promise<OpenBundle> {
  const source = await Source.open(path);
  try {
    const front = await readFront(source);
    const chain = front.trustBytes && parseTrust(front.trustBytes);
    const signer = authorize(front.sumsBytes, decodeSlot(front.slotBytes), chain);
    const release = await readRelease(source, front, signal);
    checkProduct(chain, release.manifest);
    return { ...release, signer };
  } catch (error) {
    await source.close();
    throw error;
  }
}

/** Steps 3 to 6 of docs/FORMAT.md section 9. The caller has checked the signature, or will sign the release that is returned. */
export async function readRelease(source: Source, front: Front, signal?: AbortSignal): Promise<Release> {
  const sums = parseSums(front.sumsBytes);
  const files = new Map<string, Buffer>();
  const readSmall = async (entry: Entry): Promise<Buffer> => {
    signal?.throwIfAborted();
    const bytes = await source.read(entry.offset, entry.size);
    checkDigest(entry.name, digestOf(bytes), sums);
    files.set(entry.name, bytes);
    return bytes;
  };

  const headers = readEntries(source, front, sums);
  let first = await headers.next();
  if (first.value?.name === trustName) {
    // check the bytes that were read before, because they decided which signature is accepted
    checkDigest(trustName, digestOf(front.trustBytes ?? Buffer.of()), sums);
    files.set(trustName, front.trustBytes ?? Buffer.of());
    first = await headers.next();
  } else if (sums.has(trustName)) {
    throw missing(trustName);
  }
  if (first.value?.name !== manifestName) throw order(first.value?.name ?? 'the end', manifestName);
  const manifestBytes = await readSmall(first.value);
  const manifest = parseManifest(manifestBytes);
  checkTime(manifest, front);
  const expected = agree(manifest, sums);

  const entries = new Map<string, Entry>([[manifestName, first.value]]);
  for await (const entry of headers) entries.set(entry.name, entry);
  checkEntries([...entries.values()], expected);

  const documents = new Map<Digest, Buffer>();
  const blobs: BundleBlob[] = [];
  const installers: BundleInstaller[] = [];
  const kinds = new Map(blobsOf(manifest.images).map(({ digest, kind }) => [blobName(digest), kind]));
  const roles = new Map(manifest.files.map(({ path, role }) => [path, role]));
  for (const { name, digest } of expected) {
    const entry = entries.get(name);
    if (!entry || name === manifestName) continue;
    const data: BundleBlob = {
      digest,
      size: entry.size,
      read: (how) => checkedChunks(source, entry, sums, { signal, ...how }),
      part: (from, length) => source.chunks(entry.offset + from, length, { signal }),
    };
    const kind = kinds.get(name);
    if (roles.get(name) === 'installer') installers.push({ name, ...data });
    else if (kind === undefined) await readSmall(entry);
    else {
      blobs.push(data);
      if (kind !== 'layer') {
        documents.set(digest, await readSmall(entry));
        files.delete(name);
      }
    }
  }
  for (const image of manifest.images) {
    const manifestDocument = documents.get(image.manifestDigest) ?? Buffer.of();
    checkImageDocuments(image, manifestDocument, documents.get(image.configDigest) ?? Buffer.of());
  }
  await source.assertUnchanged();

  return {
    path: source.path,
    size: source.size,
    sums,
    sumsBytes: front.sumsBytes,
    signatureBytes: front.slotBytes,
    manifest,
    manifestBytes,
    files,
    leftOut: expected.filter(({ name }) => !entries.has(name)).map(({ name }) => name),
    installers,
    async *blobs() {
      yield* blobs;
      await source.assertUnchanged();
    },
    close: () => source.close(),
  };
}

/** Checks that all required entries are present, in order and with their sizes (FORMAT.md 1.2, 1.3 and 7). */
function checkEntries(entries: readonly Entry[], expected: readonly ReleaseEntry[]): void {
  const places = new Map(expected.map((entry, place) => [entry.name, place]));
  let last = -1;
  for (const { name, size } of entries) {
    const place = places.get(name) ?? -1;
    if (place < last) throw order(name, expected[last]?.name ?? '');
    last = place;
    const signed = expected[place]?.size;
    if (size !== signed) {
      throw new AirdockError('BUNDLE_SIZE_MISMATCH', `${name} has ${size} bytes, but ${signed} were signed (FORMAT.md 1.3)`);
    }
  }
  const present = new Set(entries.map(({ name }) => name));
  const absent = expected.find(({ name, mayBeLeftOut }) => !mayBeLeftOut && !present.has(name));
  if (absent) throw missing(absent.name);
}

/** Checks the product, because a root may have key sets for several products (FORMAT.md 3.1). */
function checkProduct(chain: TrustChain | undefined, { product }: BundleManifest): void {
  if (!chain || chain.product === product) return;
  throw new AirdockError(
    'KEY_NOT_TRUSTED',
    `the key sets are for ${chain.product}, the bundle is for ${product} (FORMAT.md 3.1)`,
    {
      hint: 'Ask the vendor for the bundle again.',
    },
  );
}

/** Checks that the mtime of the entries is that of `bundle.json` (FORMAT.md 10). */
function checkTime(manifest: BundleManifest, front: Front): void {
  if (mtimeOf(manifest) === front.sums.mtime) return;
  throw new AirdockError('BUNDLE_HEADER', 'the entries have a different time than bundle.json (FORMAT.md 10)');
}

function missing(name: string): AirdockError {
  return new AirdockError('BUNDLE_ENTRY_MISSING', `${name} is not in the bundle (FORMAT.md 7)`);
}

function order(name: string, where: string): AirdockError {
  return new AirdockError('BUNDLE_ORDER', `${name} is in the wrong place, at ${where} (FORMAT.md 1.2)`);
}
