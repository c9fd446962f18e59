import { truncate, readdir, stat, writeFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { createReadStream } from 'node:fs';
import { expect, test } from 'vitest';
import { BlobCache } from '../../src/build/cache.ts';
import { limiter } from '../../src/images/concurrency.ts';
import { openArchive } from '../../src/images/archive.ts';
import { collectImage, resolveImage, type Collected } from '../../src/images/collect.ts';
import { Engine } from '../../src/images/engine.ts';
import { openLayout } from '../../src/images/layout.ts';
import { parseReference } from '../../src/images/reference.ts';
import type { ImageSource } from '../../src/images/source.ts';
import { digestOf } from '../../src/digest.ts';
import { makeImage, temporaryFolder, type TestImage } from '../helpers/bundle.ts';
import { blobOf, dockerSaved, ociLayoutFiles, writeFolder, writeTar } from '../helpers/docker-save.ts';

const api = makeImage('ghcr.io/acme/api:1', ['base', 'api']);
const web = makeImage('ghcr.io/acme/web:1', ['base', 'web']);

async function collect(source: ImageSource, reference: string, cache: string): Promise<Collected> {
  const image = await resolveImage(source, parseReference(reference), 'linux/amd64');
  return collectImage(image, new BlobCache(cache), ['compose api'], limiter(2));
}

async function bytesOf(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
}

/** The manifest was made here, and agrees with config and layers; every blob is what its digest says. */
async function checkMade({ record, blobs }: Collected, image: TestImage): Promise<void> {
  const manifest = JSON.parse((await bytesOf(blobs[0]?.open() ?? Readable.from([]))).toString()) as {
    config: { digest: string };
    layers: { digest: string }[];
  };
  expect(manifest.config.digest).toBe(image.record.configDigest);
  expect(manifest.layers.map(({ digest }) => digest)).toEqual(record.layers.map(({ digest }) => digest));
  expect(record.manifestMediaType).toBe('application/vnd.oci.image.manifest.v1+json');
  expect(record.layers.map(({ diffId, uncompressedSize }) => ({ diffId, uncompressedSize }))).toEqual(
    image.record.layers.map(({ diffId, uncompressedSize }) => ({ diffId, uncompressedSize })),
  );
  for (const blob of blobs) expect(digestOf(await bytesOf(blob.open()))).toBe(blob.digest);
}

test.each([false, true])('docker save of a classic store, gzipped: %s', async (gzip) => {
  await using folder = await temporaryFolder();
  await writeTar(folder.file('x.tar'), dockerSaved([api, web]), gzip);
  const archive = await openArchive(folder.file('x.tar'), folder.file('scratch'));
  const first = await collect(archive, 'ghcr.io/acme/api:1', folder.file('cache'));
  await checkMade(first, api);
  await checkMade(await collect(archive, 'ghcr.io/acme/web:1', folder.file('cache')), web);
  expect(first.record.origin).toBe('archive');
  // the same again, from nothing: the same bytes
  const again = await collect(archive, 'ghcr.io/acme/api:1', folder.file('cache2'));
  expect(again.record).toEqual(first.record);
  await archive.close();
  expect(await readdir(folder.file('scratch')).catch(() => [])).toEqual([]);
});

test('an image exported by its id has no name: taken when it is the only one', async () => {
  await using folder = await temporaryFolder();
  await writeTar(
    folder.file('x.tar'),
    dockerSaved([api], () => null),
  );
  const archive = await openArchive(folder.file('x.tar'), folder.path);
  const collected = await collect(archive, 'ghcr.io/acme/api:1', folder.file('cache'));
  expect(collected.record.configDigest).toBe(api.record.configDigest);
  await checkMade(collected, api);
  await archive.close();
});

test('an image that is not in it: the names that are', async () => {
  await using folder = await temporaryFolder();
  await writeTar(folder.file('x.tar'), dockerSaved([api, web]));
  const archive = await openArchive(folder.file('x.tar'), folder.path);
  await expect(collect(archive, 'ghcr.io/acme/api:2', folder.file('cache'))).rejects.toMatchObject({
    code: 'IMAGE_NOT_FOUND',
    hint: expect.stringContaining('ghcr.io/acme/api:1, ghcr.io/acme/web:1'),
  });
  await archive.close();
});

test('a layer with other bytes than the configuration says is found', async () => {
  await using folder = await temporaryFolder();
  const files = dockerSaved([api]);
  const layer = Object.keys(files).find((name) => name.endsWith('layer.tar')) ?? '';
  await writeTar(folder.file('x.tar'), { ...files, [layer]: 'something else' });
  const archive = await openArchive(folder.file('x.tar'), folder.path);
  await expect(collect(archive, 'ghcr.io/acme/api:1', folder.file('cache'))).rejects.toMatchObject({ code: 'SOURCE_CORRUPT' });
  await archive.close();
});

test('an archive cut short, and one that is none', async () => {
  await using folder = await temporaryFolder();
  await writeTar(folder.file('x.tar'), dockerSaved([api]));
  await truncate(folder.file('x.tar'), 2000);
  await expect(openArchive(folder.file('x.tar'), folder.path)).rejects.toMatchObject({
    code: 'SOURCE_CORRUPT',
    message: expect.stringContaining('ends too early'),
  });
  await writeFile(folder.file('y.tar'), 'x'.repeat(2000));
  await expect(openArchive(folder.file('y.tar'), folder.path)).rejects.toMatchObject({ code: 'SOURCE_CORRUPT' });
  await writeFile(folder.file('z.tar'), Buffer.concat([Buffer.from([0x1f, 0x8b, 8, 0]), Buffer.alloc(100)]));
  await expect(openArchive(folder.file('z.tar'), folder.path)).rejects.toMatchObject({ code: 'SOURCE_CORRUPT' });
  await expect(openArchive(folder.file('none.tar'), folder.path)).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
});

test.each([
  [
    'the full name',
    (image: TestImage) => ({ 'io.containerd.image.name': image.record.reference, 'org.opencontainers.image.ref.name': '1' }),
  ],
  ['the reference', (image: TestImage) => ({ 'org.opencontainers.image.ref.name': image.record.reference })],
])('an OCI layout keeps the manifest byte for byte; named by %s', async (_, annotations) => {
  await using folder = await temporaryFolder();
  await writeFolder(folder.path, ociLayoutFiles([api, web], annotations));
  const { record, blobs } = await collect(openLayout(folder.path), 'ghcr.io/acme/web:1', folder.file('cache'));
  expect(record).toEqual({ ...web.record, origin: 'oci-layout' });
  expect(await bytesOf(blobs[0]?.open() ?? Readable.from([]))).toEqual(blobOf(web, web.record.manifestDigest));
});

test('an OCI layout of one image, named by the tag or not at all', async () => {
  for (const annotations of [{ 'org.opencontainers.image.ref.name': '1' }, undefined]) {
    await using folder = await temporaryFolder();
    await writeFolder(
      folder.path,
      ociLayoutFiles([api], () => annotations),
    );
    expect((await collect(openLayout(folder.path), 'ghcr.io/acme/api:1', folder.file('cache'))).record.manifestDigest).toBe(
      api.record.manifestDigest,
    );
  }
});

test('a blob that the layout lacks, or has with other bytes', async () => {
  await using folder = await temporaryFolder();
  const files = ociLayoutFiles([api]);
  const layer = `blobs/sha256/${api.record.layers[1]?.digest.slice(7)}`;
  const { [layer]: bytes, ...rest } = files;
  await writeFolder(folder.file('lacking'), rest);
  await expect(collect(openLayout(folder.file('lacking')), 'ghcr.io/acme/api:1', folder.file('cache'))).rejects.toMatchObject({
    code: 'SOURCE_CORRUPT',
    message: expect.stringContaining('is missing'),
  });
  await writeFolder(folder.file('other'), { ...files, [layer]: Buffer.alloc((bytes as Buffer).length) });
  await expect(collect(openLayout(folder.file('other')), 'ghcr.io/acme/api:1', folder.file('cache'))).rejects.toMatchObject({
    code: 'SOURCE_CORRUPT',
    message: expect.stringContaining('another digest'),
  });
  // nothing false is left behind
  expect((await readdir(folder.file('cache/blobs'))).every((name) => name.length === 64)).toBe(true);
});

test('the engine: the containerd store gives the manifest of the registry, the classic one none', async () => {
  await using folder = await temporaryFolder();
  await writeTar(
    folder.file('containerd.tar'),
    ociLayoutFiles([api], (image) => ({ 'io.containerd.image.name': image.record.reference })),
  );
  await writeTar(folder.file('classic.tar'), dockerSaved([api]));
  const engine = (file: string): Engine =>
    new Engine(
      {
        inspectImage: async (reference) => (reference === 'ghcr.io/acme/api:1' ? { id: 'x' } : undefined),
        saveImage: async () => createReadStream(folder.file(file)),
      },
      folder.file('scratch'),
    );
  const containerd = await collect(engine('containerd.tar'), 'ghcr.io/acme/api:1', folder.file('cache'));
  expect(containerd.record).toEqual({ ...api.record, origin: 'engine' });
  const classic = await collect(engine('classic.tar'), 'ghcr.io/acme/api:1', folder.file('cache'));
  await checkMade(classic, api);
  expect(classic.record.origin).toBe('engine');
  await expect(collect(engine('classic.tar'), 'ghcr.io/acme/api:2', folder.file('cache'))).rejects.toMatchObject({
    code: 'IMAGE_NOT_FOUND',
  });
  expect((await stat(folder.file('scratch'))).isDirectory()).toBe(true);
  expect(await readdir(folder.file('scratch'))).toEqual([]);
});

test('an empty export of an engine that lost the layers is refused', async () => {
  await using folder = await temporaryFolder();
  const { 'oci-layout': layout, 'index.json': index } = ociLayoutFiles([api]);
  await writeTar(folder.file('x.tar'), { 'oci-layout': layout ?? '', 'index.json': index ?? '' });
  const archive = await openArchive(folder.file('x.tar'), folder.path);
  await expect(collect(archive, 'ghcr.io/acme/api:1', folder.file('cache'))).rejects.toMatchObject({
    code: 'SOURCE_CORRUPT',
    message: expect.stringContaining('lost'),
  });
  await archive.close();
});
