import type { Readable } from 'node:stream';
import type { ContainerInfo } from './container.ts';

export type ImageStore = 'classic' | 'containerd';

export type EngineInfo = {
  serverVersion: string;
  /** The engine's data root, as the engine sees it. */
  rootDir: string;
  store: ImageStore;
  /** As the OCI names it: `amd64`, `arm64`. */
  architecture: string;
  os: string;
};

export type EngineImage = {
  /** Config digest on the classic store, manifest digest on the containerd store. */
  id: string;
  /** Digests of the uncompressed layers, lowest first. */
  diffIds: string[];
  /** As the engine writes them: `postgres:15` for docker.io/library/postgres:15. */
  repoTags: string[];
};

export type ContainerFilter = {
  project?: string;
  /** `key` or `key=value` */
  label?: string;
  /** Stopped ones too; true unless told. */
  all?: boolean;
};

export type Named = { name: string; labels: Record<string, string> };

/** The engine's API, as far as airdock uses it. Every method throws ENGINE_UNREACHABLE when nobody answers. */
export interface Docker {
  readonly endpoint: string;
  ping(): Promise<void>;
  info(): Promise<EngineInfo>;
  /** By name or id; undefined when the engine has no such image. */
  inspectImage(reference: string): Promise<EngineImage | undefined>;
  /** Every image of the engine, untagged ones too. */
  listImages(): Promise<EngineImage[]>;
  /**
   * `docker load`. The engine answers 200 even when it fails, so every line is read.
   * Its success is no proof: the containerd store accepts a tar with layers missing. Look at the images afterwards.
   * @throws AirdockError LOAD_FAILED with the engine's own words
   */
  loadImages(tar: Readable, signal?: AbortSignal): Promise<void>;
  tagImage(source: string, reference: string): Promise<void>;
  /** Removes a name, and the image when that was its last one and no container uses it. Absent is fine. */
  removeImageTag(reference: string): Promise<void>;
  /** `docker save`. A classic store may answer a few kB for an image with lost layers: check what came. */
  saveImage(reference: string, signal?: AbortSignal): Promise<Readable>;
  containers(filter?: ContainerFilter): Promise<ContainerInfo[]>;
  /** Stops and removes it; volumes stay, but anonymous ones when that is asked for. Absent is fine. */
  removeContainer(id: string, options?: { anonymousVolumes?: boolean }): Promise<void>;
  /** Absent is fine; a name that another container has is not. */
  renameContainer(id: string, name: string): Promise<void>;
  /**
   * The reason why no container can be made of that image, undefined when one can: creates one (never started, labelled
   * `airdock.probe`) and removes it. On the containerd store this alone finds a tagged image with missing layers.
   */
  probeImage(reference: string): Promise<string | undefined>;
  volumes(project: string): Promise<Named[]>;
  /** Of every volume of the engine. */
  volumeNames(): Promise<string[]>;
  /** Bytes on disk of each of these volumes, as the engine adds them up: it walks through all of its volumes. */
  volumeBytes(names: readonly string[]): Promise<number>;
  /**
   * What is in a volume, as a tar with `./` at the top, read by the engine: through a container of that image that is made for
   * it (labelled `airdock.probe`), never started, and removed.
   */
  readVolume<T>(name: string, image: string, take: (tar: Readable) => Promise<T>): Promise<T>;
  networks(project: string): Promise<Named[]>;
  /** One that no container is on. Absent is fine. */
  removeNetwork(name: string): Promise<void>;
  /** The last lines of a container's stdout and stderr. */
  logs(id: string, options: { tail: number }): Promise<string>;
}
