import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import path from 'node:path';
import { blobsOf } from '../../bundle/layout.ts';
import type { BundleManifest, ImageRecord, Platform } from '../../bundle/manifest.ts';
import { digestOf, finish, type Digest } from '../../digest.ts';
import { archiveFromStream } from '../../images/archive.ts';
import type { BlobStore, StoredBlob } from '../../images/blob-store.ts';
import { collectImage, resolveImage } from '../../images/collect.ts';
import { parseReference, type ImageName } from '../../images/reference.ts';
import type { ContainerInfo } from '../../io/container.ts';
import { ensureDirectory, removeTree } from '../../io/files.ts';
import { refused, type FoundStack } from './found.ts';
import type { ManagedSite } from '../site/site.ts';
import type { Store } from '../store/store.ts';
import type { Progress } from '../../events.ts';

/**
 * Makes a release from the running containers, for adoption without a bundle. Each image is saved by its id, because its name may
 * mean another image by now. The manifest has what can be found out; it has no migrations, because they are unknown.
 * @throws ADOPTION_REFUSED when the engine saves an image only in part
 */
export async function exportRelease(
  site: ManagedSite,
  stack: FoundStack,
  scratch: string,
  progress: Progress,
): Promise<{ manifest: BundleManifest; bytes: number }> {
  const info = await site.docker.info();
  const platform = `${info.os}/${info.architecture}` as Platform;
  const images: ImageRecord[] = [];
  await ensureDirectory(scratch);
  try {
    for (const [imageId, containers] of Map.groupBy(stack.containers, (container) => container.imageId)) {
      const exported = await exportImage(site, imageId, containers, platform, scratch);
      for (const record of exported) if (!images.some((image) => image.reference === record.reference)) images.push(record);
      progress(sizeOf(images));
    }
  } finally {
    await removeTree(scratch);
  }
  return { manifest: manifestOf(site, stack, images, platform), bytes: sizeOf(images) };
}

function sizeOf(images: readonly ImageRecord[]): number {
  return blobsOf(images).reduce((sum, blob) => sum + blob.size, 0);
}

/** Exports an image. @returns a record for each name under which containers run it */
async function exportImage(
  site: ManagedSite,
  imageId: string,
  containers: readonly ContainerInfo[],
  platform: Platform,
  scratch: string,
): Promise<ImageRecord[]> {
  const { signal } = site.host;
  const usedBy = containers.map((container) => `compose ${container.service}`);
  const names = [...new Set(containers.map((container) => container.image))].map((name) => nameOf(name, usedBy));
  const [name] = names;
  if (!name) return [];
  const description = `the image of ${usedBy.join(', ').replaceAll('compose ', '')}`;
  const engineImage = await site.docker.inspectImage(imageId);
  if (!engineImage)
    throw refused(
      `${description} is no longer on the engine`,
      'Load it again (docker load), or adopt with the bundle of this version.',
    );
  let record: ImageRecord;
  try {
    const archive = await archiveFromStream(await site.docker.saveImage(imageId, signal), description, scratch);
    try {
      // The archive does not name the image.
      const { digest: _, ...unnamed } = name;
      const resolved = await resolveImage(archive, unnamed, platform, signal);
      const collected = await collectImage(resolved, blobStore(site.store, scratch), usedBy, (work) => work(), signal);
      record = collected.record;
      for (const blob of collected.blobs)
        if (!(await site.store.has(blob.digest, blob.size))) await site.store.putBlob(blob.digest, blob.size, blob.open());
    } finally {
      await archive.close();
    }
  } catch (error) {
    signal.throwIfAborted();
    throw incomplete(description, error);
  }
  if (
    record.layers.length !== engineImage.diffIds.length ||
    record.layers.some((layer, i) => layer.diffId !== engineImage.diffIds[i])
  )
    throw incomplete(description);
  return names.map((imageName) => ({ ...record, reference: imageName.canonical }));
}

function incomplete(description: string, cause?: unknown): Error {
  const why = cause instanceof Error ? `: ${cause.message}` : '';
  return Object.assign(
    refused(`docker save does not give the whole content of ${description}${why}`, 'Adopt with the bundle of this version.'),
    { cause },
  );
}

function nameOf(image: string, usedBy: readonly string[]): ImageName {
  try {
    const name = parseReference(image);
    return name.tag === undefined && name.digest === undefined ? parseReference(`${image}:latest`) : name;
  } catch {
    throw refused(
      `${usedBy.join(', ')} runs ${image}, an image without a name`,
      'Name the image (docker tag), run docker compose up -d, and adopt again.',
    );
  }
}

/** Writes blobs into the store. A blob that must be compressed first is written to a scratch file, which gives its digest. */
function blobStore(store: Store, scratch: string): BlobStore {
  const derived = new Map<string, Promise<StoredBlob>>();
  const stored = (digest: Digest, size: number): StoredBlob => ({
    digest,
    size,
    open: () => store.openBlob(digest),
    lend: () => store.openBlob(digest),
    ends: () => endsOf(store.streamBlob(digest)),
  });
  const derive = async (make: () => AsyncIterable<Buffer>): Promise<StoredBlob> => {
    const file = path.join(scratch, `layer-${randomBytes(8).toString('hex')}`);
    const handle = await open(file, 'wx', 0o600);
    try {
      const hash = createHash('sha256');
      let size = 0;
      for await (const chunk of make()) {
        hash.update(chunk);
        size += chunk.length;
        await handle.writeFile(chunk);
      }
      const digest = finish(hash);
      if (!(await store.has(digest, size)))
        await store.putBlob(digest, size, createReadStream(file, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>);
      return stored(digest, size);
    } finally {
      await handle.close();
      await rm(file, { force: true });
    }
  };
  return {
    async fetch({ digest, size }, openAt) {
      if (!(await store.has(digest, size))) await store.putBlob(digest, size, openAt(0));
      return stored(digest, size);
    },
    derive(key, make) {
      const existing = derived.get(key) ?? derive(make);
      derived.set(key, existing);
      return existing;
    },
  };
}

async function endsOf(stream: AsyncIterable<Buffer>): Promise<{ first: Buffer; last: Buffer }> {
  let first = Buffer.alloc(0);
  let last = Buffer.alloc(0);
  for await (const chunk of stream) {
    if (first.length < 4) first = Buffer.concat([first, chunk.subarray(0, 4)]);
    last = Buffer.concat([last, chunk.subarray(-4)]).subarray(-4);
  }
  return { first, last };
}

function manifestOf(
  site: ManagedSite,
  { version, main, containers }: FoundStack,
  images: readonly ImageRecord[],
  platform: Platform,
): BundleManifest {
  const services = [...new Set(containers.map((container) => container.service))].toSorted();
  return {
    schema: 'airdock.bundle/1',
    format: 1,
    // A placeholder until a bundle names the product (steps/good.ts).
    product:
      site.state.deployment()?.product ??
      (site.project
        .replaceAll(/[^a-z0-9]+/g, '-')
        .replaceAll(/^-|-$/g, '')
        .slice(0, 39) ||
        'adopted'),
    version,
    platform,
    created: site.host
      .clock()
      .toISOString()
      .replace(/\.\d+Z$/, 'Z'),
    revision: '',
    builder: 'airdock adopt',
    images: images.toSorted((a, b) => (a.reference < b.reference ? -1 : 1)),
    files: [{ path: 'compose.yaml', digest: digestOf(main.bytes), size: main.bytes.length, role: 'compose' }],
    requires: { engine: '>=20.10', compose: '>=2.24', disk: 0 },
    upgrade: { from: '*', stops: [] },
    migrations: [],
    // Never run, because a release without a database has no migration.
    migration: { service: services[0] ?? 'none', command: ['true'] },
    database: 'none',
    writers: [],
    traffic: [],
    health: [],
    volumes: [],
  };
}
