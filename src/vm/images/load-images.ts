import { Readable } from 'node:stream';
import type { ImageRecord, LayerRecord } from '../../bundle/manifest.ts';
import type { Digest } from '../../digest.ts';
import { AirdockError, isAirdockError } from '../../errors.ts';
import type { Docker, EngineImage, ImageStore } from '../../io/docker.ts';
import { idOnStore, type NamedImage } from './names.ts';

/** What has to be done for each image. */
export type LoadPlan = {
  /** Nothing: the engine has the image under its name, with the right id and layers. */
  present: NamedImage[];
  /** A tag: the engine has the image under another name. */
  tag: NamedImage[];
  load: NamedImage[];
  /** Compressed layers that the engine has, and that the tar leaves out. */
  omit: Set<Digest>;
  /** Compressed and uncompressed bytes of the layers that go into the tar. */
  bytes: number;
  uncompressedBytes: number;
};

/**
 * Plans a load, and changes nothing.
 * @param known images of kept releases. On the containerd store the compressed layers of an engine's image are known only if its
 *   manifest is
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
    if (isImage(byName, named.image, store)) plan.present.push(named);
    else if (isImage(engine.get(idOnStore(named.image, store)), named.image, store)) plan.tag.push(named);
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
    // On the classic store a layer may exist as part of one image and still be missing for another.
    plan.omit.delete(digest);
    plan.bytes += layer.size;
    plan.uncompressedBytes += layer.uncompressedSize;
  }
  return plan;
}

function isImage(present: EngineImage | undefined, image: ImageRecord, store: ImageStore): present is EngineImage {
  return present?.id === idOnStore(image, store) && sameLayers(present, image);
}

function sameLayers({ diffIds }: EngineImage, { layers }: ImageRecord): boolean {
  return diffIds.length === layers.length && layers.every((layer, i) => layer.diffId === diffIds[i]);
}

/** The classic store identifies a layer by all diffIDs up to it (OCI image-spec config.md, "Layer ChainID"). */
function chainsOf(engine: ReadonlyMap<string, EngineImage>) {
  const chains = new Set<string>();
  for (const { diffIds } of engine.values()) diffIds.forEach((_, i) => chains.add(diffIds.slice(0, i + 1).join(' ')));
  return (layers: readonly LayerRecord[]) => chains.has(layers.map(({ diffId }) => diffId).join(' '));
}

/**
 * The containerd store must have the compressed blob itself: an image that uses uncompressed layers of other images runs,
 * but `docker save` of it is empty (docs/FACTS.md "Layers that may be left out").
 */
function blobsOf(engine: ReadonlyMap<string, EngineImage>, known: readonly ImageRecord[], store: ImageStore) {
  const complete = known.filter((image) => isImage(engine.get(idOnStore(image, store)), image, store));
  const digests = new Set(complete.flatMap(({ layers }) => layers.map(({ digest }) => digest)));
  return (layers: readonly LayerRecord[]) => layers.every(({ digest }) => digests.has(digest));
}

export type LoadReport = {
  loaded: string[];
  tagged: string[];
  /** Bytes of the tars that the engine got. */
  bytes: number;
  /** True when a check found faulty images, which were then loaded with all their layers. */
  full: boolean;
};

/** The tar for `docker load` with these names, without the layers in `omit` (src/bundle/archive.ts). */
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
 * Makes sure that the engine has each image, complete, under its name, and loads only what is missing. An engine may accept a tar
 * and have a broken image, or lose layers before the tar arrives: so each image is checked afterwards, and a faulty one is loaded
 * once more with all its layers.
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
    // The classic store fails when a left-out layer is missing; no other error is a reason to try again.
    if (!isAirdockError(error, 'LOAD_FAILED') || plan.omit.size === 0) throw error;
  }
  const faulty = await findFaulty(images, docker, store);
  if (faulty.size === 0) return report;

  report.full = true;
  const retried = [...faulty.keys()];
  report.loaded = [...new Set([...report.loaded, ...retried.map(({ name }) => name)])];
  const total = retried.flatMap(({ image }) => image.layers).reduce((sum, layer) => sum + layer.size, 0);
  await send(retried, new Set(), total, options, report);
  const stillFaulty = await findFaulty(images, docker, store);
  if (stillFaulty.size === 0) return report;
  const list = [...stillFaulty].map(([{ name }, reason]) => `${name}: ${reason}`).join('; ');
  throw new AirdockError('LOAD_FAILED', `the engine does not have the loaded images: ${list}`, {
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

async function findFaulty(images: readonly NamedImage[], docker: Docker, store: ImageStore): Promise<Map<NamedImage, string>> {
  const faulty = new Map<NamedImage, string>();
  for (const named of images) {
    const reason = await faultOf(named, docker, store);
    if (reason !== undefined) faulty.set(named, reason);
  }
  return faulty;
}

async function faultOf({ image, name }: NamedImage, docker: Docker, store: ImageStore): Promise<string | undefined> {
  const present = await docker.inspectImage(name);
  if (!present) return 'it is missing';
  if (present.id !== idOnStore(image, store)) return `it is ${present.id} instead of ${idOnStore(image, store)}`;
  if (!sameLayers(present, image)) return 'it has other layers';
  return docker.probeImage(name);
}
