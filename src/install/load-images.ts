import type { Docker } from '../io/docker.ts';
import type { NamedImage } from './image-names.ts';
import type { Digest } from '../digest.ts';

/** What the engine lacks, for the plan. */
export type LoadPlan = {
  /** Nothing to do: there under its name, right id and layers. */
  present: NamedImage[];
  /** There under another name. */
  tag: NamedImage[];
  load: NamedImage[];
  /** Compressed layers that the engine has, to be left out of the tar. */
  omit: Set<Digest>;
  /** Compressed and uncompressed bytes of the layers that go into the tar. */
  bytes: number;
  uncompressedBytes: number;
};

export declare function planLoad(images: readonly NamedImage[], docker: Docker): Promise<LoadPlan>;

export type LoadReport = { loaded: string[]; tagged: string[]; bytes: number; full: boolean };

/** The tar for `docker load` with these names, less `omit` (src/bundle/archive.ts). */
export type ArchiveOf = (images: readonly NamedImage[], omit: ReadonlySet<Digest>) => AsyncIterable<Buffer>;

/** @throws LOAD_FAILED when the engine does not hold each image, whole, after a full load */
export declare function loadImages(options: {
  images: readonly NamedImage[];
  docker: Docker;
  archive: ArchiveOf;
  signal?: AbortSignal;
  onProgress?: (bytes: number, total: number) => void;
}): Promise<LoadReport>;
