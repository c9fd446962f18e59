import { resolve } from 'node:path';
import { AirdockError } from '../errors.ts';
import { openArchive, type Archive } from '../images/archive.ts';
import { Engine, type ImageExporter } from '../images/engine.ts';
import { openLayout } from '../images/layout.ts';
import type { ImageSource as Source } from '../images/source.ts';
import type { ImageSource } from './config.ts';

export type SourceHost = {
  registry: Source;
  /** Called only when an image comes from the engine. */
  engine(): Promise<ImageExporter>;
};

/** Opens each source of a build once. */
export class Sources {
  readonly #host: SourceHost;
  readonly #directory: string;
  readonly #scratch: string;
  readonly #archives = new Map<string, Promise<Archive>>();
  #engine: Promise<Engine> | undefined;

  /** @param directory the directory that paths are relative to */
  constructor(host: SourceHost, directory: string, scratch: string) {
    this.#host = host;
    this.#directory = directory;
    this.#scratch = scratch;
  }

  async open(source: ImageSource): Promise<Source> {
    if (source === 'registry') return this.#host.registry;
    if (source === 'engine') {
      this.#engine ??= this.#host.engine().then((engine) => new Engine(engine, this.#scratch));
      return this.#engine;
    }
    if ('ociLayout' in source) return openLayout(resolve(this.#directory, source.ociLayout));
    const path = resolve(this.#directory, source.archive);
    let archive = this.#archives.get(path);
    if (!archive) {
      archive = openArchive(path, this.#scratch);
      this.#archives.set(path, archive);
    }
    return archive;
  }

  async close(): Promise<void> {
    await (await this.#engine?.catch(() => undefined))?.close();
    for (const archive of this.#archives.values()) await (await archive.catch(() => undefined))?.close();
  }
}

/** Parses `registry`, `engine`, `oci:DIR` or `archive:FILE`. @throws AirdockError USAGE */
export function parseSource(text: string, cwd: string): ImageSource {
  if (text === 'registry' || text === 'engine') return text;
  const [, kind, path] = /^(oci|archive):(.+)$/s.exec(text) ?? [];
  if (path === undefined) {
    throw new AirdockError('USAGE', `${JSON.stringify(text)} is not an image source`, {
      hint: 'Give registry, engine, oci:DIRECTORY or archive:FILE.',
    });
  }
  return kind === 'oci' ? { ociLayout: resolve(cwd, path) } : { archive: resolve(cwd, path) };
}
