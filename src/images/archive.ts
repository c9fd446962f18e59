import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, unlink, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Duplex, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { z } from 'zod';
import type { Digest } from '../digest.ts';
import { AirdockError, systemCode } from '../errors.ts';
import { diskError } from '../io/files.ts';
import { OciLayout } from './layout.ts';
import { canonicalOf } from './reference.ts';
import { corrupt, type ManifestBytes } from './manifest.ts';
import type { ImageName } from './reference.ts';
import type { ArchiveSource, BlobOptions, Origin, RawImage } from './source.ts';
import { tarTree, type FileTree } from './tree.ts';

/** moby image/tarexport: `manifest.json` of `docker save`. */
const saved = z.array(
  z.object({ Config: z.string(), RepoTags: z.array(z.string()).nullish(), Layers: z.array(z.string()).nullish() }),
);

/** A tar of images: `docker save` of any engine, an OCI archive, a bundle of airdock. */
export class Archive implements ArchiveSource {
  readonly origin: Origin;
  readonly #tree: FileTree;
  readonly #layout: OciLayout;

  constructor(tree: FileTree, origin: Origin = 'archive') {
    this.origin = origin;
    this.#tree = tree;
    this.#layout = new OciLayout(tree, origin);
  }

  label(): string {
    return this.#layout.label();
  }

  resolve(name: ImageName): Promise<ManifestBytes> {
    return this.#layout.resolve(name);
  }

  manifest(name: ImageName, digest: Digest): Promise<ManifestBytes> {
    return this.#layout.manifest(name, digest);
  }

  blob(name: ImageName, expected: { digest: Digest; size: number }, options?: BlobOptions): AsyncIterable<Buffer> {
    return this.#layout.blob(name, expected, options);
  }

  async raw(name: ImageName): Promise<RawImage | undefined> {
    if ((await this.#tree.size('index.json')) !== undefined) return undefined;
    const bytes = await this.#tree.read('manifest.json');
    if (!bytes) {
      throw new AirdockError(
        'IMAGE_NOT_FOUND',
        `${this.#tree.label} holds no images: it has neither index.json nor manifest.json`,
        {
          hint: 'Name an archive made by docker save, skopeo or docker buildx.',
        },
      );
    }
    const parsed = saved.safeParse(tryJson(bytes));
    if (!parsed.success) throw corrupt(this.label(), 'manifest.json is not what docker save writes', parsed.error);
    const expected = name.tag === undefined ? undefined : `${name.registry}/${name.repository}:${name.tag}`;
    const [only] = parsed.data;
    const entry =
      parsed.data.find((image) => image.RepoTags?.some((tag) => canonicalOf(tag) === expected)) ??
      // An image exported by its id has no name.
      (parsed.data.length === 1 && only && (only.RepoTags ?? []).length === 0 ? only : undefined);
    if (!entry) {
      const tags = parsed.data.flatMap((image) => image.RepoTags ?? []);
      throw new AirdockError('IMAGE_NOT_FOUND', `${this.label()} has no image ${name.canonical}`, {
        hint: `The archive has: ${tags.join(', ') || 'no named image'}.`,
      });
    }
    const config = await this.#tree.read(entry.Config);
    if (!config) throw corrupt(this.label(), `${entry.Config}, the configuration of ${name.canonical}, is missing`);
    const layers = await Promise.all(
      (entry.Layers ?? []).map(async (path) => {
        const size = await this.#tree.size(path);
        if (size === undefined) throw corrupt(this.label(), `${path}, a layer of ${name.canonical}, is missing`);
        return { size, open: () => this.#tree.open(path) };
      }),
    );
    return { config, layers };
  }

  close(): Promise<void> {
    return this.#tree.close();
  }
}

/**
 * @param scratch directory for the plain tar of a compressed archive: a file without a name, gone when the process ends
 * @throws AirdockError FILE_NOT_FOUND, SOURCE_CORRUPT
 */
export async function openArchive(path: string, scratch: string): Promise<Archive> {
  let handle: FileHandle;
  try {
    handle = await open(path, 'r');
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
    throw new AirdockError('FILE_NOT_FOUND', `there is no archive ${path}`, { hint: 'Check the path.', cause: error });
  }
  const magic = Buffer.alloc(2);
  await handle.read(magic, 0, 2, 0);
  if (magic[0] !== 0x1f || magic[1] !== 0x8b) return new Archive(await tarTree(handle, path));
  await handle.close();
  try {
    return new Archive(await tarTree(await spool([createReadStream(path), createGunzip({ chunkSize: 1 << 18 })], scratch), path));
  } catch (error) {
    if (!systemCode(error)?.startsWith('Z_')) throw error;
    throw corrupt(path, 'its compression is damaged', error);
  }
}

/** Opens the stream of `docker save`. A stream has no random access, so it is first written to a file without a name. */
export async function archiveFromStream(stream: Readable, label: string, scratch: string): Promise<Archive> {
  return new Archive(await tarTree(await spool([stream], scratch), label), 'engine');
}

async function spool(streams: readonly [Readable, ...Duplex[]], scratch: string): Promise<FileHandle> {
  await mkdir(scratch, { recursive: true });
  const path = join(scratch, `spool-${randomBytes(8).toString('hex')}`);
  const handle = await open(path, 'wx+', 0o600);
  try {
    await unlink(path);
    await pipeline([
      ...streams,
      async (chunks: AsyncIterable<Buffer>) => {
        for await (const chunk of chunks) await handle.writeFile(chunk);
      },
    ]);
    return handle;
  } catch (error) {
    await handle.close();
    throw diskError(error, scratch);
  }
}

function tryJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}
