import type { Readable } from 'node:stream';
import type { ContainerInfo } from './container.ts';

export type ImageStore = 'classic' | 'containerd';

export type EngineInfo = {
  serverVersion: string;
  /** The engine's data root, as the engine sees it. */
  rootDir: string;
  store: ImageStore;
  /** Architecture in OCI terms: `amd64`, `arm64`. */
  architecture: string;
  os: string;
};

export type EngineImage = {
  /** Config digest on the classic store, manifest digest on the containerd store. */
  id: string;
  /** Digests of the uncompressed layers, lowest first. */
  diffIds: string[];
  /** Names as the engine writes them: `postgres:15` for docker.io/library/postgres:15. */
  repoTags: string[];
};

export type ContainerFilter = {
  project?: string;
  /** `key` or `key=value` */
  label?: string;
  /** Include stopped containers; default: true. */
  all?: boolean;
};

export type Named = { name: string; labels: Record<string, string> };

/** The part of the Docker API that airdock uses. Every method throws ENGINE_UNREACHABLE when the engine does not answer. */
export interface Docker {
  readonly endpoint: string;
  ping(): Promise<void>;
  info(): Promise<EngineInfo>;
  /** By name or id; undefined when the engine has no such image. */
  inspectImage(reference: string): Promise<EngineImage | undefined>;
  /** All images of the engine, including untagged ones. */
  listImages(): Promise<EngineImage[]>;
  /**
   * `docker load`. The engine answers 200 even when it fails, so every line is read.
   * Success is no proof: the containerd store accepts a tar with missing layers. Check the images afterwards.
   * @throws AirdockError LOAD_FAILED with the message of the engine
   */
  loadImages(tar: Readable, signal?: AbortSignal): Promise<void>;
  tagImage(source: string, reference: string): Promise<void>;
  /** Removes a name, and the image with its last name when no container uses it. A missing name is no error. */
  removeImageTag(reference: string): Promise<void>;
  /** `docker save`. A classic store may answer a few kB for an image with lost layers, so check the result. */
  saveImage(reference: string, signal?: AbortSignal): Promise<Readable>;
  containers(filter?: ContainerFilter): Promise<ContainerInfo[]>;
  /** Stops and removes a container. Volumes stay, except anonymous ones on request. A missing container is no error. */
  removeContainer(id: string, options?: { anonymousVolumes?: boolean }): Promise<void>;
  /** A missing container is no error; a name that another container has is one. */
  renameContainer(id: string, name: string): Promise<void>;
  /**
   * Creates a container of an image (never started, labelled `airdock.probe`) and removes it. Only this finds a tagged
   * image with missing layers in the containerd store. @returns the reason of a failure, undefined for success
   */
  probeImage(reference: string): Promise<string | undefined>;
  volumes(project: string): Promise<Named[]>;
  /** Names of all volumes of the engine. */
  volumeNames(): Promise<string[]>;
  /** Total bytes on disk of these volumes. The engine scans all of its volumes for the answer. */
  volumeBytes(names: readonly string[]): Promise<number>;
  /**
   * Reads a volume as a tar with `./` at the top. The engine reads it through a container of that image that is created for
   * it (labelled `airdock.probe`), never started, and removed.
   */
  readVolume<T>(name: string, image: string, take: (tar: Readable) => Promise<T>): Promise<T>;
  networks(project: string): Promise<Named[]>;
  /** Removes a network that no container uses. A missing network is no error. */
  removeNetwork(name: string): Promise<void>;
  /** The last lines of a container's stdout and stderr. */
  logs(id: string, options: { tail: number }): Promise<string>;
}
