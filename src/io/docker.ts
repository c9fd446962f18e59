import { addAbortSignal, type Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import Dockerode from 'dockerode';
import { AirdockError, systemCode } from '../errors.ts';
import { type ContainerInfo, containerInfo } from './container.ts';
import type { ContainerFilter, Docker, EngineImage, EngineInfo, Named } from './engine.ts';
import { loadErrors, plainLog } from './engine-answer.ts';

export type * from './engine.ts';
export type { ContainerInfo } from './container.ts';

export function openDocker(endpoint: string): Docker {
  return new Engine(endpoint);
}

/** Mount target of a volume whose files the engine reads. */
const volumeTarget = '/airdock-volume';

class Engine implements Docker {
  readonly endpoint: string;
  readonly #api: Dockerode;

  constructor(endpoint: string) {
    this.endpoint = endpoint;
    // host: without it, docker-modem would read DOCKER_HOST itself and prefer that.
    this.#api = new Dockerode({ host: '', socketPath: endpoint.replace(/^unix:\/\//, '') });
  }

  async ping(): Promise<void> {
    await this.#ask(this.#api.ping());
  }

  async info(): Promise<EngineInfo> {
    const answer = (await this.#ask(this.#api.info())) as RawInfo;
    const containerd = (answer.DriverStatus ?? []).some(([, value]) => value === 'io.containerd.snapshotter.v1');
    return {
      serverVersion: answer.ServerVersion,
      rootDir: answer.DockerRootDir,
      store: containerd ? 'containerd' : 'classic',
      architecture: ({ x86_64: 'amd64', aarch64: 'arm64' } as Record<string, string>)[answer.Architecture] ?? answer.Architecture,
      os: answer.OSType,
    };
  }

  async inspectImage(reference: string): Promise<EngineImage | undefined> {
    const found = await this.#find(this.#api.getImage(reference).inspect());
    return found && { id: found.Id, diffIds: found.RootFS.Layers ?? [], repoTags: found.RepoTags ?? [] };
  }

  async listImages(): Promise<EngineImage[]> {
    const list = await this.#ask(this.#api.listImages());
    // An image may have been removed since it was listed.
    const images = await inTurn([...new Set(list.map((entry) => entry.Id))], (id) => this.inspectImage(id));
    return images.filter((found) => found !== undefined);
  }

  async loadImages(tar: Readable, signal?: AbortSignal): Promise<void> {
    let broken: Error | undefined;
    tar.once('error', (error) => (broken = error));
    try {
      // The signal ends the request itself, because the source of the tar may wait for data that never comes.
      const answer = await this.#ask(this.#api.loadImage(tar, signal ? { abortSignal: signal } : {}));
      const errors = await loadErrors(answer as Readable);
      if (broken) throw broken;
      if (errors.length > 0) throw new AirdockError('LOAD_FAILED', `the engine could not load the images: ${errors.join('; ')}`);
    } catch (error) {
      if (signal?.aborted) throw new AirdockError('INTERRUPTED', 'loading was interrupted', { cause: signal.reason });
      // An error of the tar says more than the broken connection that it caused.
      throw broken ?? error;
    } finally {
      tar.destroy();
    }
  }

  async tagImage(source: string, reference: string): Promise<void> {
    const [repo, tag] = splitTag(reference);
    await this.#ask(this.#api.getImage(source).tag({ repo, tag }));
  }

  async removeImageTag(reference: string): Promise<void> {
    await this.#find(this.#api.getImage(reference).remove());
  }

  async saveImage(reference: string, signal?: AbortSignal): Promise<Readable> {
    const tar = (await this.#ask(this.#api.getImage(reference).get())) as Readable;
    return signal ? addAbortSignal(signal, tar) : tar;
  }

  async containers(filter: ContainerFilter = {}): Promise<ContainerInfo[]> {
    const label = [
      ...(filter.project === undefined ? [] : [`com.docker.compose.project=${filter.project}`]),
      ...(filter.label === undefined ? [] : [filter.label]),
    ];
    const list = await this.#ask(this.#api.listContainers({ all: filter.all ?? true, filters: { label } }));
    const inspected = await inTurn(list, (entry) => this.#find(this.#api.getContainer(entry.Id).inspect()));
    return inspected.filter((found) => found !== undefined).map(containerInfo);
  }

  async removeContainer(id: string, { anonymousVolumes = false } = {}): Promise<void> {
    const container = this.#api.getContainer(id);
    try {
      await container.remove({ force: true, v: anonymousVolumes });
    } catch (error) {
      if (statusOf(error) === 404) return;
      if (statusOf(error) !== 409 || !/already in progress/.test(reasonOf(error))) throw this.#failed(error);
      // `--rm` of a killed one-shot container is removing it already: wait until it is gone
      for (let tries = 0; tries < 100 && (await this.#find(container.inspect())) !== undefined; tries++) await sleep(100);
    }
  }

  async renameContainer(id: string, name: string): Promise<void> {
    await this.#find(this.#api.getContainer(id).rename({ name }));
  }

  async probeImage(reference: string): Promise<string | undefined> {
    let id: string;
    try {
      const made = await this.#api.createContainer({ Image: reference, Cmd: ['/'], Labels: { 'airdock.probe': reference } });
      id = made.id;
    } catch (error) {
      if (statusOf(error) !== undefined) return reasonOf(error);
      throw this.#failed(error);
    }
    await this.removeContainer(id, { anonymousVolumes: true });
    return undefined;
  }

  async volumes(project: string): Promise<Named[]> {
    const { Volumes: found } = await this.#ask(
      this.#api.listVolumes({ filters: { label: [`com.docker.compose.project=${project}`] } }),
    );
    return (found ?? []).map((volume) => ({ name: volume.Name, labels: volume.Labels ?? {} }));
  }

  async volumeNames(): Promise<string[]> {
    const { Volumes: found } = await this.#ask(this.#api.listVolumes());
    return (found ?? []).map((volume) => volume.Name);
  }

  async volumeBytes(names: readonly string[]): Promise<number> {
    const used = (await this.#ask(this.#api.df())) as { Volumes?: { Name: string; UsageData?: { Size: number } }[] };
    const sizes = (used.Volumes ?? []).filter(({ Name }) => names.includes(Name)).map(({ UsageData }) => UsageData?.Size ?? 0);
    return sizes.reduce((sum, size) => sum + Math.max(0, size), 0);
  }

  async readVolume<T>(name: string, image: string, take: (tar: Readable) => Promise<T>): Promise<T> {
    const { id } = await this.#ask(
      this.#api.createContainer({
        Image: image,
        Cmd: ['/'],
        Labels: { 'airdock.probe': name },
        HostConfig: { Mounts: [{ Type: 'volume', Source: name, Target: volumeTarget, ReadOnly: true }] },
      }),
    );
    try {
      const tar = await this.#ask(this.#api.getContainer(id).getArchive({ path: `${volumeTarget}/.` }));
      return await take(tar as Readable);
    } finally {
      await this.removeContainer(id, { anonymousVolumes: true });
    }
  }

  async networks(project: string): Promise<Named[]> {
    const found = await this.#ask(this.#api.listNetworks({ filters: { label: [`com.docker.compose.project=${project}`] } }));
    return found.map((network) => ({ name: network.Name, labels: network.Labels ?? {} }));
  }

  async removeNetwork(name: string): Promise<void> {
    await this.#find(this.#api.getNetwork(name).remove());
  }

  async logs(id: string, options: { tail: number }): Promise<string> {
    const container = this.#api.getContainer(id);
    const bytes = await this.#find(container.logs({ stdout: true, stderr: true, tail: options.tail, follow: false }));
    return bytes === undefined ? '' : plainLog(bytes);
  }

  /** The answer; undefined for 404. */
  async #find<T>(answer: Promise<T>): Promise<T | undefined> {
    try {
      return await answer;
    } catch (error) {
      if (statusOf(error) === 404) return undefined;
      throw this.#failed(error);
    }
  }

  async #ask<T>(answer: Promise<T>): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      throw this.#failed(error);
    }
  }

  #failed(error: unknown): AirdockError {
    if (error instanceof AirdockError) return error;
    if (statusOf(error) !== undefined) {
      return new AirdockError('STEP_FAILED', `the engine refused: ${reasonOf(error)}`, { cause: error });
    }
    return new AirdockError('ENGINE_UNREACHABLE', `no Docker Engine answers at ${this.endpoint}`, {
      hint:
        systemCode(error) === 'EACCES'
          ? 'This user has no access to the socket: run airdock as root, or as a member of the docker group.'
          : 'Check that it is running (systemctl status docker). airdock uses the address in DOCKER_HOST or in the Docker context.',
      cause: error,
    });
  }
}

function statusOf(error: unknown): number | undefined {
  return error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number' ? error.statusCode : undefined;
}

/** The message of the engine, without docker-modem's "(HTTP code 404) no such image - ". */
function reasonOf(error: unknown): string {
  return (error as Error).message.replace(/^\(HTTP code \d+\) .*? - /, '').trim();
}

/** `host/name:tag` -> repository and tag; a colon before the last slash is a port. */
function splitTag(reference: string): [string, string] {
  const colon = reference.lastIndexOf(':');
  return colon > reference.lastIndexOf('/') ? [reference.slice(0, colon), reference.slice(colon + 1)] : [reference, 'latest'];
}

/** Asks for one item at a time, so that an engine with a thousand images stays responsive; the socket is local and fast. */
async function inTurn<T, R>(items: readonly T[], ask: (item: T) => Promise<R>): Promise<R[]> {
  const answers: R[] = [];
  for (const item of items) answers.push(await ask(item));
  return answers;
}

type RawInfo = {
  ServerVersion: string;
  DockerRootDir: string;
  DriverStatus?: [string, string][];
  Architecture: string;
  OSType: string;
};
