import { createHash, type Hash } from 'node:crypto';
import type { OpenBundle } from '../bundle/reader.ts';
import type { BundleBlob } from '../bundle/release.ts';
import { digestOf, finish, type Digest } from '../digest.ts';
import { AirdockError } from '../errors.ts';
import type { ImageName } from '../images/reference.ts';
import type { SentBlob } from '../images/registry-writer.ts';
import { chartArtifact } from './chart-artifact.ts';
import { chartRepository, type PushedImage, type PushTarget } from './push-target.ts';

/** The parts of a bundle that are pushed to a registry. */

/** A manifest and the blobs that the registry must have before it. */
export type Artifact = { name: ImageName; manifest: { bytes: Buffer; digest: Digest; mediaType: string }; blobs: Digest[] };
/** Every blob that the bundle carries. */
export async function contentOf(bundle: OpenBundle): Promise<Map<Digest, SentBlob>> {
  const content = new Map<Digest, SentBlob>();
  for await (const blob of bundle.blobs()) content.set(blob.digest, checked(blob));
  return content;
}

export async function imageArtifacts(
  { manifest: { images } }: OpenBundle,
  targets: readonly PushedImage[],
  content: ReadonlyMap<Digest, SentBlob>,
): Promise<Artifact[]> {
  return Promise.all(
    images.map(async (image, index) => {
      const { target: name } = targets[index]!;
      const blob = content.get(image.manifestDigest);
      if (!blob) throw new AirdockError('INTERNAL', `the manifest of ${image.reference} is not in the bundle`);
      const bytes = Buffer.concat(await Array.fromAsync(blob.read(0, blob.size)));
      const manifest = { bytes, digest: image.manifestDigest, mediaType: image.manifestMediaType };
      return { name, manifest, blobs: [...new Set([image.configDigest, ...image.layers.map(({ digest }) => digest)])] };
    }),
  );
}

/** The chart, whose blobs are added to `content`; undefined when the release has none. */
export async function chartOf(
  bundle: OpenBundle,
  target: PushTarget,
  content: Map<Digest, SentBlob>,
): Promise<Artifact | undefined> {
  const record = bundle.manifest.files.find(({ role }) => role === 'chart');
  const archive = record && bundle.files.get(record.path);
  if (!archive) return undefined;
  const artifact = await chartArtifact(archive);
  for (const { digest, bytes } of artifact.blobs)
    content.set(digest, {
      digest,
      size: bytes.length,
      read: async function* (from, length) {
        yield bytes.subarray(from, from + length);
      },
    });
  const name = target.at(chartRepository(artifact.name), artifact.version.replaceAll('+', '_'), artifact.manifest.digest);
  return { name, manifest: artifact.manifest, blobs: artifact.blobs.map(({ digest }) => digest) };
}

/**
 * A blob whose bytes are hashed while they are read, each byte once. The registry compares digests too, but cannot tell
 * whether the bundle or the transfer is at fault. @throws BUNDLE_DIGEST_MISMATCH at the end
 */
function checked({ digest, size, part }: BundleBlob): SentBlob {
  let hash: Hash = createHash('sha256');
  let hashed = 0;
  return {
    digest,
    size,
    async *read(from, length) {
      if (from === 0) [hash, hashed] = [createHash('sha256'), 0];
      let at = from;
      for await (const chunk of part(from, length)) {
        if (at + chunk.length > hashed && at <= hashed) {
          hash.update(chunk.subarray(hashed - at));
          hashed = at + chunk.length;
        }
        at += chunk.length;
        if (at === size && hashed === size && finish(hash.copy()) !== digest) throw damaged(digest);
        yield chunk;
      }
      if (size === 0 && digestOf(Buffer.of()) !== digest) throw damaged(digest);
    },
  };
}

function damaged(digest: Digest): AirdockError {
  return new AirdockError('BUNDLE_DIGEST_MISMATCH', `blob ${digest} in the bundle was changed after signing`, {
    hint: 'Copy the bundle again; if the error comes back, get the bundle again from the vendor. The registry did not accept the blob.',
  });
}
