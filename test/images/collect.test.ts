import { gunzipSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BlobCache } from '../../src/build/cache.ts';
import { limiter } from '../../src/images/concurrency.ts';
import { digestOf } from '../../src/digest.ts';
import { collectImage, resolveImage } from '../../src/images/collect.ts';
import { openLayout } from '../../src/images/layout.ts';
import { parseReference } from '../../src/images/reference.ts';
import { makeImage, temporaryFolder, type TestImage } from '../helpers/bundle.ts';
import { blobOf, writeFolder } from '../helpers/docker-save.ts';
import { client, FaultRegistry } from '../helpers/fault-registry.ts';

let registry: FaultRegistry;
beforeEach(async () => {
  registry = await FaultRegistry.start();
});
afterEach(() => registry[Symbol.asyncDispose]());

const image = makeImage('ghcr.io/acme/api:1', ['one', 'two']);

function put(tag: string, document: object, mediaType: string): string {
  const bytes = Buffer.from(JSON.stringify(document));
  for (const name of [tag, digestOf(bytes)]) registry.manifests.set(`acme/api:${name}`, { bytes, mediaType });
  return digestOf(bytes);
}

function manifestOf(source: TestImage): { config: object; layers: { mediaType: string; digest: string; size: number }[] } {
  return JSON.parse(blobOf(source, source.record.manifestDigest).toString());
}

function resolve(tag = '1', platform: 'linux/amd64' | 'linux/arm64' = 'linux/amd64') {
  return resolveImage(client(), parseReference(`${registry.address}/acme/api:${tag}`), platform);
}

const index = 'application/vnd.oci.image.index.v1+json';
const entry = (architecture: string, os = 'linux', more: object = {}) => ({
  mediaType: image.record.manifestMediaType,
  digest: image.record.manifestDigest,
  size: image.record.manifestSize,
  platform: { architecture, os },
  ...more,
});

test('the manifest of a tag, byte for byte, and the blobs of it', async () => {
  registry.add(image, 'acme/api', '1');
  await using folder = await temporaryFolder();
  const { record, blobs } = await collectImage(await resolve(), new BlobCache(folder.path), ['compose api'], limiter(2));
  expect(record).toEqual({ ...image.record, reference: `${registry.address}/acme/api:1` });
  expect(blobs.map(({ digest }) => digest)).toEqual([
    record.manifestDigest,
    record.configDigest,
    ...record.layers.map(({ digest }) => digest),
  ]);
});

test('an index: the entry of the platform; attestations are no images; the index digest is recorded', async () => {
  registry.add(image, 'acme/api', 'direct');
  const attestation = {
    ...entry('unknown', 'unknown', { annotations: { 'vnd.docker.reference.type': 'attestation-manifest' } }),
    digest: `sha256:${'1'.repeat(64)}`,
  };
  const digest = put(
    '1',
    {
      schemaVersion: 2,
      mediaType: index,
      manifests: [attestation, { ...entry('arm64'), digest: `sha256:${'2'.repeat(64)}` }, entry('amd64')],
    },
    index,
  );
  const found = await resolve();
  expect(found.indexDigest).toBe(digest);
  expect(found.manifest?.digest).toBe(image.record.manifestDigest);
});

test('a platform that the index lacks: PLATFORM_MISSING names those that are there', async () => {
  registry.add(image, 'acme/api', 'direct');
  put('1', { schemaVersion: 2, mediaType: index, manifests: [entry('amd64'), entry('s390x')] }, index);
  await expect(resolve('1', 'linux/arm64')).rejects.toMatchObject({
    code: 'PLATFORM_MISSING',
    exitCode: 3,
    message: expect.stringContaining('linux/arm64; available: linux/amd64, linux/s390x'),
  });
});

test('a single manifest of another platform is refused, too', async () => {
  registry.add(image, 'acme/api', '1');
  await expect(resolve('1', 'linux/arm64')).rejects.toMatchObject({ code: 'PLATFORM_MISSING' });
});

test('a manifest of schema 1 and an artifact are refused', async () => {
  put('1', { schemaVersion: 1, fsLayers: [] }, 'application/vnd.docker.distribution.manifest.v1+prettyjws');
  await expect(resolve()).rejects.toMatchObject({ code: 'IMAGE_UNSUPPORTED', message: expect.stringContaining('schema 1') });
  put('2', { schemaVersion: 2, mediaType: 'application/vnd.example+json', layers: [] }, 'application/vnd.example+json');
  await expect(resolve('2')).rejects.toMatchObject({ code: 'IMAGE_UNSUPPORTED' });
});

test('zstd and uncompressed layers of a registry are refused with a hint', async () => {
  for (const type of ['application/vnd.oci.image.layer.v1.tar+zstd', 'application/vnd.oci.image.layer.v1.tar']) {
    registry.add(image, 'acme/api', '1');
    const manifest = manifestOf(image);
    put(
      '1',
      { schemaVersion: 2, ...manifest, layers: manifest.layers.map((layer) => ({ ...layer, mediaType: type })) },
      image.record.manifestMediaType,
    );
    await expect(resolve()).rejects.toMatchObject({
      code: 'IMAGE_UNSUPPORTED',
      hint: expect.stringContaining('compression=gzip'),
    });
  }
});

test('zstd layers of an OCI layout are compressed anew', async () => {
  await using folder = await temporaryFolder();
  const raw = image.record.layers.map((layer) => gunzipSync(blobOf(image, layer.digest)));
  const blobs = [blobOf(image, image.record.configDigest), ...raw.map((tar) => zstdCompressSync(tar))];
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      config: {
        mediaType: 'application/vnd.oci.image.config.v1+json',
        digest: image.record.configDigest,
        size: blobs[0]?.length,
      },
      layers: blobs.slice(1).map((bytes) => ({
        mediaType: 'application/vnd.oci.image.layer.v1.tar+zstd',
        digest: digestOf(bytes),
        size: bytes.length,
      })),
    }),
  );
  const files = Object.fromEntries([...blobs, manifest].map((bytes) => [`blobs/sha256/${digestOf(bytes).slice(7)}`, bytes]));
  const entries = {
    schemaVersion: 2,
    manifests: [{ mediaType: 'application/vnd.oci.image.manifest.v1+json', digest: digestOf(manifest), size: manifest.length }],
  };
  await writeFolder(folder.path, { ...files, 'index.json': JSON.stringify(entries) });
  const found = await resolveImage(openLayout(folder.path), parseReference('ghcr.io/acme/api:1'), 'linux/amd64');
  const { record, blobs: made } = await collectImage(found, new BlobCache(folder.file('cache')), [], limiter(2));
  expect(record.layers.map(({ diffId }) => diffId)).toEqual(image.record.layers.map(({ diffId }) => diffId));
  const chunks: Buffer[] = [];
  for await (const chunk of made[2]?.open() ?? []) chunks.push(chunk);
  expect(gunzipSync(Buffer.concat(chunks))).toEqual(raw[0]);
});

test('a layer of 8 GiB is refused before it is fetched', async () => {
  registry.add(image, 'acme/api', '1');
  const manifest = manifestOf(image);
  put(
    '1',
    { schemaVersion: 2, ...manifest, layers: manifest.layers.map((layer) => ({ ...layer, size: 8 * 2 ** 30 })) },
    image.record.manifestMediaType,
  );
  await expect(resolve()).rejects.toMatchObject({ code: 'LAYER_TOO_LARGE', exitCode: 3 });
});

test('a configuration that counts other layers than the manifest is refused', async () => {
  registry.add(image, 'acme/api', '1');
  const manifest = manifestOf(image);
  put('1', { schemaVersion: 2, ...manifest, layers: manifest.layers.slice(1) }, image.record.manifestMediaType);
  await expect(resolve()).rejects.toMatchObject({
    code: 'SOURCE_CORRUPT',
    message: expect.stringContaining('1 layers, the configuration 2'),
  });
});

test('a layer with other bytes of the same length: SOURCE_CORRUPT, and it is not kept', async () => {
  registry.add(image, 'acme/api', '1');
  const [layer] = image.record.layers;
  if (!layer) throw new Error('no layer');
  registry.blobs.set(layer.digest, Buffer.alloc(layer.size, 1));
  await using folder = await temporaryFolder();
  const cache = new BlobCache(folder.path);
  const found = await resolve();
  await expect(collectImage(found, cache, [], limiter(2))).rejects.toMatchObject({
    code: 'SOURCE_CORRUPT',
    message: expect.stringContaining(layer.digest),
  });
  registry.add(image, 'acme/api', '1');
  await collectImage(found, new BlobCache(folder.path), [], limiter(2));
});

test('the size of the tar: by the trailer, and by inflating when the trailer speaks of the last member only', async () => {
  const tar = gunzipSync(blobOf(image, image.record.layers[0]?.digest ?? digestOf('')));
  const members = Buffer.concat([gzipSync(tar.subarray(0, 700)), gzipSync(tar.subarray(700))]);
  const config = JSON.parse(blobOf(image, image.record.configDigest).toString()) as { rootfs: { diff_ids: string[] } };
  config.rootfs.diff_ids = [digestOf(tar)];
  const configBytes = Buffer.from(JSON.stringify(config));
  for (const bytes of [configBytes, members]) registry.blobs.set(digestOf(bytes), bytes);
  const manifest = manifestOf(image);
  put(
    '1',
    {
      schemaVersion: 2,
      config: { ...manifest.config, digest: digestOf(configBytes), size: configBytes.length },
      layers: [{ ...manifest.layers[0], digest: digestOf(members), size: members.length }],
    },
    image.record.manifestMediaType,
  );
  await using folder = await temporaryFolder();
  const { record } = await collectImage(await resolve(), new BlobCache(folder.path), [], limiter(1));
  expect(record.layers[0]?.uncompressedSize).toBe(tar.length);
});
