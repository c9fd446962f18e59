import type { Readable } from 'node:stream';
import type { Digest } from '../digest.ts';
import { AirdockError } from '../errors.ts';
import { archiveFromStream, type Archive } from './archive.ts';
import type { ManifestBytes } from './manifest.ts';
import type { ImageName } from './reference.ts';
import type { ArchiveSource, BlobOptions, RawImage } from './source.ts';

/** The parts of the engine that are needed here (io/docker.ts has them). */
export type ImageExporter = {
  inspectImage(reference: string): Promise<{ id: string } | undefined>;
  saveImage(reference: string, signal?: AbortSignal): Promise<Readable>;
};

/**
 * Images of the local Docker Engine, read with `docker save`. A containerd image store keeps the manifest of the
 * registry; a classic store has none, so one is made.
 */
export class Engine implements ArchiveSource {
  readonly origin = 'engine';
  readonly #engine: ImageExporter;
  readonly #scratch: string;
  readonly #archives = new Map<string, Promise<Archive>>();

  constructor(engine: ImageExporter, scratch: string) {
    this.#engine = engine;
    this.#scratch = scratch;
  }

  label(): string {
    return 'the local engine';
  }

  async raw(name: ImageName, signal?: AbortSignal): Promise<RawImage | undefined> {
    return (await this.#archive(name, signal)).raw(name);
  }

  async resolve(name: ImageName, signal?: AbortSignal): Promise<ManifestBytes> {
    return (await this.#archive(name, signal)).resolve(name);
  }

  async manifest(name: ImageName, digest: Digest, signal?: AbortSignal): Promise<ManifestBytes> {
    return (await this.#archive(name, signal)).manifest(name, digest);
  }

  async *blob(name: ImageName, expected: { digest: Digest; size: number }, options?: BlobOptions): AsyncIterable<Buffer> {
    yield* (await this.#archive(name, options?.signal)).blob(name, expected, options);
  }

  async close(): Promise<void> {
    for (const archive of this.#archives.values()) await (await archive.catch(() => undefined))?.close();
    this.#archives.clear();
  }

  #archive(name: ImageName, signal?: AbortSignal): Promise<Archive> {
    let archive = this.#archives.get(name.canonical);
    if (!archive) {
      archive = this.#export(name, signal);
      this.#archives.set(name.canonical, archive);
    }
    return archive;
  }

  async #export(name: ImageName, signal?: AbortSignal): Promise<Archive> {
    const reference = name.canonical;
    if (!(await this.#engine.inspectImage(reference))) {
      throw new AirdockError('IMAGE_NOT_FOUND', `the local engine has no image ${reference}`, {
        hint: `Build or pull it first: docker pull ${reference}`,
      });
    }
    return archiveFromStream(await this.#engine.saveImage(reference, signal), `image ${reference}`, this.#scratch);
  }
}
