import { hexOf, type Digest } from '../digest.ts';
import { AirdockError } from '../errors.ts';
import { corrupt, expectDigest, parseManifest, type Descriptor } from './manifest.ts';
import { canonicalOf, type ImageName } from './reference.ts';
import type { BlobOptions, ImageSource, Origin } from './source.ts';
import { directoryTree, type FileTree } from './tree.ts';

/** An OCI image layout, as a directory or in an archive (OCI image-spec, image-layout.md). */
export class OciLayout implements ImageSource {
  readonly origin: Origin;
  readonly #tree: FileTree;

  constructor(tree: FileTree, origin: Origin = 'oci-layout') {
    this.#tree = tree;
    this.origin = origin;
  }

  label(): string {
    return `${this.origin} ${this.#tree.label}`;
  }

  async resolve(name: ImageName): Promise<{ bytes: Buffer; digest: Digest; mediaType: string }> {
    const found = matching(await this.#entries(), name);
    if (!found) {
      throw new AirdockError('IMAGE_NOT_FOUND', `${this.label()} has no image ${name.canonical}`, {
        hint: `The layout has: ${names(await this.#entries()).join(', ') || 'no named image'}.`,
      });
    }
    return { ...(await this.manifest(name, found.digest)), mediaType: found.mediaType };
  }

  async manifest(name: ImageName, digest: Digest): Promise<{ bytes: Buffer; digest: Digest; mediaType: string }> {
    const bytes = await this.#tree.read(blobPath(digest));
    if (!bytes) throw this.#missing(digest, name);
    expectDigest(bytes, digest, `${this.label()}, manifest of ${name.canonical}`);
    return { bytes, digest, mediaType: '' };
  }

  async *blob(name: ImageName, expected: { digest: Digest; size: number }, options: BlobOptions = {}): AsyncIterable<Buffer> {
    const size = await this.#tree.size(blobPath(expected.digest));
    if (size === undefined) throw this.#missing(expected.digest, name);
    if (size !== expected.size) throw corrupt(this.label(), `blob ${expected.digest} has ${size} bytes, not ${expected.size}`);
    for await (const chunk of this.#tree.open(blobPath(expected.digest), options.offset)) {
      options.signal?.throwIfAborted();
      yield chunk;
    }
  }

  async #entries(): Promise<Descriptor[]> {
    const bytes = await this.#tree.read('index.json');
    if (!bytes) {
      throw new AirdockError('IMAGE_NOT_FOUND', `${this.#tree.label} is not an OCI image layout: it has no index.json`, {
        hint: 'Name a directory made by skopeo, crane, umoci or docker buildx (type=oci).',
      });
    }
    const parsed = parseManifest({ bytes, mediaType: 'application/vnd.oci.image.index.v1+json' }, `${this.label()}, index.json`);
    if (parsed.kind !== 'index') throw corrupt(this.label(), 'index.json is not an index');
    return parsed.manifests;
  }

  #missing(digest: Digest, name: ImageName): AirdockError {
    return corrupt(
      this.label(),
      `${digest} of ${name.canonical} is missing. An engine may export an image without reporting that its layers are lost`,
    );
  }
}

export function openLayout(directory: string): OciLayout {
  return new OciLayout(directoryTree(directory));
}

/** The entry of an image. Tools name images in a layout by the full reference, by the tag alone, or not at all. */
function matching(entries: readonly Descriptor[], name: ImageName): Descriptor | undefined {
  const fits = (test: (text: string) => boolean) =>
    entries.find((entry) =>
      [entry.annotations?.['io.containerd.image.name'], refName(entry)].some((text) => text !== undefined && test(text)),
    );
  const plain = name.tag === undefined ? undefined : `${name.registry}/${name.repository}:${name.tag}`;
  return (
    (name.digest === undefined ? undefined : entries.find((entry) => entry.digest === name.digest)) ??
    fits((text) => [name.canonical, plain].includes(canonicalOf(text))) ??
    (name.digest === undefined
      ? undefinedUnlessOne(entries.filter((entry) => refName(entry) === name.tag && !fullName(entry)))
      : undefined) ??
    (name.digest === undefined
      ? undefinedUnlessOne(entries.filter((entry) => !fullName(entry) && refName(entry) === undefined))
      : undefined)
  );
}

function refName(entry: Descriptor): string | undefined {
  return entry.annotations?.['org.opencontainers.image.ref.name'];
}

function fullName(entry: Descriptor): string | undefined {
  return entry.annotations?.['io.containerd.image.name'];
}

function names(entries: readonly Descriptor[]): string[] {
  return entries.flatMap((entry) => fullName(entry) ?? refName(entry) ?? []);
}

function undefinedUnlessOne<T>(list: readonly T[]): T | undefined {
  return list.length === 1 ? list[0] : undefined;
}

function blobPath(digest: Digest): string {
  return `blobs/sha256/${hexOf(digest)}`;
}
