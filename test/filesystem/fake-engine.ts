import { createHash } from 'node:crypto';
import { promises as real, readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { parse } from 'yaml';
import { interpolate } from '../../src/io/compose-interpolation.ts';
import { digestOf } from '../../src/digest.ts';
import { AirdockError } from '../../src/errors.ts';
import { parseEnvFile } from '../../src/vm/env/file.ts';
import type { Compose, ComposeModel, ComposeOptions } from '../../src/io/compose.ts';
import type { ContainerInfo, Docker, EngineImage } from '../../src/io/docker.ts';

/**
 * A Docker Engine with its compose plugin, in memory: images by name, containers by service, each in the form that the real one
 * has. It never fails: faults are the disk's here. Two of it can be told apart by what runs on them.
 */
export class FakeEngine {
  readonly images = new Map<string, EngineImage>();
  containers: ContainerInfo[] = [];
  #made = 0;

  copy(): FakeEngine {
    const other = new FakeEngine();
    for (const [name, image] of this.images) other.images.set(name, image);
    other.containers = this.containers.map((one) => ({ ...one }));
    other.#made = this.#made;
    return other;
  }

  /** Versions of the tags that run, by service. */
  running(project = 'shop'): Record<string, string> {
    const own = this.containers.filter((one) => one.project === project && one.state === 'running');
    return Object.fromEntries(own.map(({ service, image }) => [service, image.slice(image.lastIndexOf(':') + 1)]));
  }

  docker(): Docker {
    const { images } = this;
    const named = (reference: string): EngineImage | undefined =>
      images.get(reference) ?? [...images.values()].find(({ id }) => id === reference);
    return {
      endpoint: 'unix:///nowhere',
      ping: async () => {},
      info: async () => ({ serverVersion: '28.5.0', rootDir: '/', store: 'classic', architecture: 'amd64', os: 'linux' }),
      inspectImage: async (reference) => named(reference),
      listImages: async () => [...new Map([...images.values()].map((image) => [image.id, image])).values()],
      loadImages: async (tar) => this.#load(await buffer(tar)),
      tagImage: async (source, reference) => void images.set(reference, found(named(source))),
      removeImageTag: async (reference) => void images.delete(reference),
      saveImage: async () => Readable.from([]),
      containers: async ({ project, label } = {}) =>
        this.containers.filter(
          (one) =>
            (project === undefined || one.project === project) &&
            (label === undefined || Object.hasOwn(one.labels, label.split('=')[0] ?? '')),
        ),
      removeContainer: async (id) => void (this.containers = this.containers.filter((one) => one.id !== id)),
      renameContainer: async () => {},
      probeImage: async (reference) => (named(reference) ? undefined : 'no such image'),
      volumes: async () => [],
      volumeNames: async () => [],
      volumeBytes: async () => 0,
      readVolume: async (_name, _image, take) => take(Readable.from([])),
      networks: async () => [],
      removeNetwork: async () => {},
      logs: async () => '',
    };
  }

  compose({ project, directory, files, envFile }: Omit<ComposeOptions, 'run'>): Compose {
    const config = async (): Promise<ComposeModel> => {
      const env = parseEnvFile(await real.readFile(envFile), envFile);
      const texts = files.map((file) => interpolate(readFileSync(file, 'utf8'), (key) => env.get(key)));
      return { name: project, services: Object.assign({}, ...texts.map((text) => (parse(text) as ComposeModel).services)) };
    };
    const hashes = async (): Promise<Map<string, string>> =>
      new Map(Object.entries((await config()).services).map(([name, service]) => [name, digestOf(JSON.stringify(service))]));
    const remove = async (services: readonly string[]): Promise<void> => {
      this.containers = this.containers.filter((one) => one.project !== project || !services.includes(one.service));
    };
    return {
      project,
      directory,
      files,
      config,
      hashes,
      remove,
      stop: remove,
      version: async () => '2.40.3',
      run: async () => ({ exitCode: 0, stdout: '', stderr: '', timedOut: false }),
      exec: () => Promise.reject(new Error('nothing is executed here')),
      up: async (wanted) => {
        const [{ services }, all] = [await config(), await hashes()];
        for (const [service, { image = '' }] of Object.entries(services)) {
          if (wanted && !wanted.includes(service)) continue;
          const there = this.images.get(image);
          if (!there) throw new AirdockError('UP_FAILED', `no such image: ${image}`);
          const same = (one: ContainerInfo): boolean =>
            one.project === project && one.service === service && one.configHash === all.get(service) && one.imageId === there.id;
          if (this.containers.some(same)) continue;
          await remove([service]);
          this.containers.push(
            container({ id: `c${++this.#made}`, project, service, image, imageId: there.id, configHash: all.get(service) ?? '' }),
          );
        }
      },
    };
  }

  /** What is in an archive of images: names, configs, and the layers that it has. */
  #load(tar: Buffer): void {
    const entries = new Map<string, Buffer>();
    for (let at = 0; tar[at] !== 0 && at < tar.length;) {
      const name = tar.toString('latin1', at, tar.indexOf(0, at));
      const size = Number.parseInt(tar.toString('latin1', at + 124, at + 135), 8);
      entries.set(name, tar.subarray(at + 512, at + 512 + size));
      at += 512 + Math.ceil(size / 512) * 512;
    }
    const list = JSON.parse(String(entries.get('manifest.json'))) as { Config: string; RepoTags: string[] | null }[];
    for (const { Config: file, RepoTags: names } of list) {
      const config = found(entries.get(file));
      const id = `sha256:${createHash('sha256').update(config).digest('hex')}`;
      const { rootfs } = JSON.parse(config.toString()) as { rootfs: { diff_ids: string[] } };
      for (const name of names ?? []) this.images.set(name, { id, diffIds: rootfs.diff_ids, repoTags: [name] });
    }
  }
}

export function container(of: Partial<ContainerInfo>): ContainerInfo {
  return {
    id: '',
    name: `${of.project}-${of.service}-1`,
    service: '',
    project: '',
    oneOff: false,
    image: '',
    imageId: '',
    state: 'running',
    health: 'none',
    configHash: '',
    workingDir: '',
    configFiles: [],
    labels: {},
    ports: [],
    restarts: 0,
    startedAt: '2026-11-26T02:14:00Z',
    addresses: {},
    ...of,
  };
}

function found<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('the fake engine lacks what was asked of it');
  return value;
}
