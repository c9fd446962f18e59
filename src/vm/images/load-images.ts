import { Readable } from 'node:stream';
import type { ImageRecord, LayerRecord } from '../../bundle/manifest.ts';
import type { Digest } from '../../digest.ts';
import { AirdockError, isAirdockError } from '../../errors.ts';
import type { Docker, EngineImage, ImageStore } from '../../io/docker.ts';
import { idOnStore, type NamedImage } from './names.ts';

/** What the engine lacks. */
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

/**
 * Looks only. `known`: other images that this deployment has had (kept releases). The containerd store needs them: what an
 * engine image consists of there is known only when its manifest is.
 */
export async function planLoad(
  images: readonly NamedImage[],
  docker: Docker,
  known: readonly ImageRecord[] = [],
): Promise<LoadPlan> {
  const { store } = await docker.info();
  const engine = new Map((await docker.listImages()).map((image) => [image.id, image]));
  const plan: LoadPlan = { present: [], tag: [], load: [], omit: new Set(), bytes: 0, uncompressedBytes: 0 };
  for (const named of images) {
    const byName = await docker.inspectImage(named.name);
    if (isThatImage(byName, named.image, store)) plan.present.push(named);
    else if (isThatImage(engine.get(idOnStore(named.image, store)), named.image, store)) plan.tag.push(named);
    else plan.load.push(named);
  }
  const has = store === 'classic' ? chainsOf(engine) : blobsOf(engine, [...known, ...images.map(({ image }) => image)], store);
  const needed = new Map<Digest, LayerRecord>();
  for (const { image } of plan.load) {
    for (const [i, layer] of image.layers.entries()) {
      if (has(image.layers.slice(0, i + 1))) plan.omit.add(layer.digest);
      else needed.set(layer.digest, layer);
    }
  }
  for (const [digest, layer] of needed) {
    // On the classic store a layer may be there below one image and not below another.
    plan.omit.delete(digest);
    plan.bytes += layer.size;
    plan.uncompressedBytes += layer.uncompressedSize;
  }
  return plan;
}

function isThatImage(found: EngineImage | undefined, image: ImageRecord, store: ImageStore): found is EngineImage {
  return found?.id === idOnStore(image, store) && sameLayers(found, image);
}

function sameLayers({ diffIds }: EngineImage, { layers }: ImageRecord): boolean {
  return diffIds.length === layers.length && layers.every((layer, i) => layer.diffId === diffIds[i]);
}

/** The classic store knows a layer by all diffIDs up to it (OCI image-spec config.md, "Layer ChainID"), whatever carried it. */
function chainsOf(engine: ReadonlyMap<string, EngineImage>) {
  const chains = new Set<string>();
  for (const { diffIds } of engine.values()) diffIds.forEach((_, i) => chains.add(diffIds.slice(0, i + 1).join(' ')));
  return (layers: readonly LayerRecord[]) => chains.has(layers.map(({ diffId }) => diffId).join(' '));
}

/**
 * The containerd store must hold the compressed blob itself: an image whose layers came from others' uncompressed ones runs,
 * but `docker save` of it is empty (docs/FACTS.md "Layers that may be left out").
 */
function blobsOf(engine: ReadonlyMap<string, EngineImage>, known: readonly ImageRecord[], store: ImageStore) {
  const there = known.filter((image) => isThatImage(engine.get(idOnStore(image, store)), image, store));
  const digests = new Set(there.flatMap(({ layers }) => layers.map(({ digest }) => digest)));
  return (layers: readonly LayerRecord[]) => layers.every(({ digest }) => digests.has(digest));
}

export type LoadReport = {
  loaded: string[];
  tagged: string[];
  /** Bytes of the tars that the engine got. */
  bytes: number;
  /** True when something was amiss after the first look, and images were loaded with all their layers. */
  full: boolean;
};

/** The tar for `docker load` with these names, less the layers in `omit` (src/bundle/archive.ts). */
export type ArchiveOf = (images: readonly NamedImage[], omit: ReadonlySet<Digest>) => AsyncIterable<Buffer>;

export type LoadOptions = {
  images: readonly NamedImage[];
  docker: Docker;
  archive: ArchiveOf;
  /** See `planLoad`. */
  known?: readonly ImageRecord[];
  signal?: AbortSignal | undefined;
  onProgress?: ((bytes: number, total: number) => void) | undefined;
};

/**
 * Makes the engine hold each image, whole, under its name, loading only what it lacks. An engine may accept a tar and hold
 * a broken image, and what it had may be gone when the tar arrives: each image is looked at afterwards, and what is amiss
 * is loaded once more in full.
 * @throws LOAD_FAILED, STORE_CORRUPT
 */
export async function loadImages(options: LoadOptions): Promise<LoadReport> {
  const { images, docker } = options;
  const plan = await planLoad(images, docker, options.known);
  const { store } = await docker.info();
  const report: LoadReport = { loaded: plan.load.map(({ name }) => name), tagged: [], bytes: 0, full: false };
  for (const { image, name } of plan.tag) {
    await docker.tagImage(idOnStore(image, store), name);
    report.tagged.push(name);
  }
  try {
    await send(plan.load, plan.omit, plan.bytes, options, report);
  } catch (error) {
    // The classic store says it when a layer that was left out is not there; anything else is no reason to try again.
    if (!isAirdockError(error, 'LOAD_FAILED') || plan.omit.size === 0) throw error;
  }
  const amiss = await findAmiss(images, docker, store);
  if (amiss.size === 0) return report;

  report.full = true;
  const again = [...amiss.keys()];
  report.loaded = [...new Set([...report.loaded, ...again.map(({ name }) => name)])];
  const total = again.flatMap(({ image }) => image.layers).reduce((sum, layer) => sum + layer.size, 0);
  await send(again, new Set(), total, options, report);
  const still = await findAmiss(images, docker, store);
  if (still.size === 0) return report;
  const list = [...still].map(([{ name }, reason]) => `${name}: ${reason}`).join('; ');
  throw new AirdockError('LOAD_FAILED', `the engine does not hold what was loaded: ${list}`, {
    hint: 'Restart Docker Engine (systemctl restart docker) and run the same command again.',
  });
}

async function send(
  images: readonly NamedImage[],
  omit: ReadonlySet<Digest>,
  total: number,
  { docker, archive, signal, onProgress }: LoadOptions,
  report: LoadReport,
): Promise<void> {
  if (images.length === 0) return;
  const before = report.bytes;
  async function* counted() {
    for await (const chunk of archive(images, omit)) {
      yield chunk;
      report.bytes += chunk.length;
      onProgress?.(Math.min(report.bytes - before, total), total);
    }
  }
  await docker.loadImages(Readable.from(counted(), { objectMode: false }), signal);
}

async function findAmiss(images: readonly NamedImage[], docker: Docker, store: ImageStore): Promise<Map<NamedImage, string>> {
  const amiss = new Map<NamedImage, string>();
  for (const named of images) {
    const reason = await whatIsAmiss(named, docker, store);
    if (reason !== undefined) amiss.set(named, reason);
  }
  return amiss;
}

async function whatIsAmiss({ image, name }: NamedImage, docker: Docker, store: ImageStore): Promise<string | undefined> {
  const found = await docker.inspectImage(name);
  if (!found) return 'it is not there';
  if (found.id !== idOnStore(image, store)) return `it is ${found.id} instead of ${idOnStore(image, store)}`;
  if (!sameLayers(found, image)) return 'it has other layers';
  return docker.probeImage(name);
}
