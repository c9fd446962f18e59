import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { byTable } from '../../src/bundle/agreement.ts';
import { generateKeys, readPrivateKey } from '../../src/bundle/keys.ts';
import type { BundleManifest, FileRecord, ImageRecord } from '../../src/bundle/manifest.ts';
import { byName, roleOf } from '../../src/bundle/names.ts';
import { signWith } from '../../src/bundle/signature.ts';
import type { TrustChain } from '../../src/bundle/trust.ts';
import { writeBundle, type BlobInput } from '../../src/bundle/writer.ts';
import { digestOf, type Digest } from '../../src/digest.ts';

/** Tiny real bundles for tests: a few kilobytes, signed, and readable by every tool that reads the large ones. */

export const passphrase = 'correct horse';
const pair = generateKeys(passphrase);
/** The vendor's key of all test bundles. */
export const testKey = { ...pair, passphrase, sign: signWith(readPrivateKey(pair.privatePem, passphrase)) };
const other = generateKeys(passphrase);
/** A key that nobody trusts. */
export const otherKey = { ...other, passphrase, sign: signWith(readPrivateKey(other.privatePem, passphrase)) };

type TestLayer = { bytes: Buffer; diffId: Digest; uncompressedSize: number };
export type TestImage = { record: ImageRecord; blobs: ReadonlyMap<Digest, Buffer> };

/** An image of the registry's form whose layers hold these texts (each is a tar of one file, gzipped), or are these bytes. */
export function makeImage(
  reference: string,
  layers: readonly (string | TestLayer)[],
  usedBy: readonly string[] = ['compose api'],
): TestImage {
  const blobs = new Map<Digest, Buffer>();
  const keep = (bytes: Buffer): { digest: Digest; size: number } => {
    blobs.set(digestOf(bytes), bytes);
    return { digest: digestOf(bytes), size: bytes.length };
  };
  const records = layers.map((layer) => {
    const { bytes, ...unpacked } = typeof layer === 'string' ? layerOf(layer) : layer;
    return { ...keep(bytes), mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip', ...unpacked };
  });
  const rootfs = { type: 'layers', diff_ids: records.map(({ diffId }) => diffId) };
  const config = keep(
    Buffer.from(JSON.stringify({ architecture: 'amd64', os: 'linux', config: { Cmd: ['/x'] }, rootfs, history: [] })),
  );
  const mediaType = 'application/vnd.docker.distribution.manifest.v2+json';
  const manifest = keep(
    Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType,
        config: { mediaType: 'application/vnd.docker.container.image.v1+json', ...config },
        layers: records.map(({ digest, size, mediaType: type }) => ({ mediaType: type, size, digest })),
      }),
    ),
  );
  const record: ImageRecord = {
    reference,
    manifestDigest: manifest.digest,
    manifestSize: manifest.size,
    manifestMediaType: mediaType,
    configDigest: config.digest,
    configSize: config.size,
    layers: records,
    origin: 'registry',
    usedBy: [...usedBy],
  };
  return { record, blobs };
}

function layerOf(text: string): TestLayer {
  const tar = layerTar(text);
  return { bytes: gzipSync(tar), diffId: digestOf(tar), uncompressedSize: tar.length };
}

/** A tar with one file, in the plain form that any tool reads. */
function layerTar(text: string): Buffer {
  const data = Buffer.from(text);
  const header = Buffer.alloc(512);
  header.write('hello.txt', 0);
  header.write(`0000644\0${'0000000\0'.repeat(2)}${data.length.toString(8).padStart(11, '0')}\0${'0'.repeat(11)}\0`, 100);
  header.write('        0', 148);
  header.write('ustar\x0000', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return Buffer.concat([header, data, Buffer.alloc((512 - (data.length % 512)) % 512), Buffer.alloc(1024)]);
}

export type TestBundle = {
  manifest: BundleManifest;
  files: ReadonlyMap<string, Buffer>;
  blobs: ReadonlyMap<Digest, Buffer>;
};

export type TestBundleOptions = {
  version?: string;
  images?: readonly TestImage[];
  /** Added to the usual small files, or replacing them. */
  files?: Readonly<Record<string, string | Buffer>>;
  /** Replaces members of the manifest. */
  manifest?: Partial<BundleManifest>;
};

/** The content of a bundle: two images of the release that share a layer, and a fixed one. */
export function makeRelease(options: TestBundleOptions = {}): TestBundle {
  const { version = '0.3.0' } = options;
  const images = options.images ?? [
    makeImage(`ghcr.io/example/shop-api:${version}`, ['base', `api ${version}`]),
    makeImage(`ghcr.io/example/shop-web:${version}`, ['base', `web ${version}`], ['compose web']),
    makeImage('docker.io/library/postgres:15', ['postgres'], ['compose db']),
  ];
  const content: Record<string, string | Buffer> = {
    'README.md': '# Shop\n',
    'compose.yaml': `services:\n  api:\n    image: ghcr.io/example/shop-api:${version}\n`,
    'env.template': `VERSION=${version}\n`,
    'values-template.yaml': 'image: {}\n',
    [`chart/shop-${version}.tgz`]: gzipSync(`chart ${version}`),
    ...options.files,
  };
  const files = new Map(Object.entries(content).map(([name, text]) => [name, Buffer.from(text)]));
  const records = [...files].map(([path, bytes]): FileRecord => {
    return { path, digest: digestOf(bytes), size: bytes.length, role: roleOf(path) ?? 'readme' };
  });
  const manifest: BundleManifest = {
    schema: 'airdock.bundle/1',
    format: 1,
    product: 'shop',
    version,
    platform: 'linux/amd64',
    created: '2026-11-22T02:14:00Z',
    revision: '',
    builder: 'airdock 0.1.0',
    images: images.map(({ record }) => record).toSorted((a, b) => byName(a.reference, b.reference)),
    files: records.toSorted((a, b) => byTable(a.path, b.path)),
    requires: { engine: '>=20.10', compose: '>=2.24', disk: 0, postgres: 15 },
    upgrade: { from: '>=0.2.0', stops: [] },
    migrations: [{ version: '0.3.0', class: 'expand', summary: 'adds notes.pinned' }],
    migration: { service: 'api', command: ['migrate'] },
    database: { service: 'db', userKey: 'POSTGRES_USER', passwordKey: 'POSTGRES_PASSWORD', nameKey: 'POSTGRES_DB' },
    writers: ['api'],
    traffic: ['web'],
    health: [],
    volumes: [],
    ...options.manifest,
  };
  return { manifest, files, blobs: new Map(images.flatMap((image) => [...image.blobs])) };
}

export function blobInputs(blobs: ReadonlyMap<Digest, Buffer>): BlobInput[] {
  return [...blobs].map(([digest, bytes]) => ({
    digest,
    size: bytes.length,
    async *open() {
      yield bytes;
    },
  }));
}

/** Writes it to `path`, signed with `testKey` unless told otherwise. */
export async function writeTestBundle(
  path: string,
  options: TestBundleOptions & { sign?: ((sums: Buffer) => Buffer) | 'unsigned'; trust?: TrustChain } = {},
): Promise<TestBundle> {
  const release = makeRelease(options);
  const sign = options.sign === 'unsigned' ? undefined : (options.sign ?? testKey.sign);
  await writeBundle(path, {
    manifest: release.manifest,
    files: release.files,
    blobs: blobInputs(release.blobs),
    sign,
    trust: options.trust,
  });
  return release;
}

/** A directory of its own for one test file; `await using` removes it. */
export async function temporaryFolder(): Promise<{ path: string; file: (name: string) => string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'airdock-test-'));
  return { path, file: (name) => join(path, name), [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}
