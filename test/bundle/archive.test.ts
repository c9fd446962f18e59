import { describe, expect, test } from 'vitest';
import { dockerArchive } from '../../src/bundle/archive.ts';
import { decodeHeader, paddingOf } from '../../src/bundle/tar.ts';
import type { Digest } from '../../src/digest.ts';
import { makeImage } from '../helpers/bundle.ts';

const app = makeImage('ghcr.io/example/app:1', ['base', 'app']);
const db = makeImage('docker.io/library/postgres:15', ['base', 'db']);
const blobs = new Map([...app.blobs, ...db.blobs]);

async function* openBlob(digest: Digest): AsyncIterable<Buffer> {
  const bytes = blobs.get(digest) ?? Buffer.of();
  yield bytes.subarray(0, 10);
  yield bytes.subarray(10);
}

async function entriesOf(chunks: AsyncIterable<Buffer>): Promise<Map<string, Buffer>> {
  const bytes = Buffer.concat(await Array.fromAsync(chunks));
  const entries = new Map<string, Buffer>();
  let at = 0;
  while (bytes[at] !== 0) {
    const { name, size } = decodeHeader(bytes.subarray(at, at + 512));
    entries.set(name, bytes.subarray(at + 512, at + 512 + size));
    at += 512 + size + paddingOf(size);
  }
  expect(bytes.subarray(at).equals(Buffer.alloc(1024))).toBe(true);
  return entries;
}

const json = (entries: Map<string, Buffer>, name: string): unknown => JSON.parse(entries.get(name)?.toString() ?? '');

describe('the archive for docker load', () => {
  test('has every blob once', async () => {
    const entries = await entriesOf(dockerArchive({ images: [app.record, db.record], openBlob }));
    expect([...entries.keys()].slice(0, 3)).toEqual(['oci-layout', 'index.json', 'manifest.json']);
    expect(entries.size).toBe(3 + blobs.size);
    expect(blobs.size).toBe(2 * 2 + 3);
    for (const [digest, bytes] of blobs) expect(entries.get(`blobs/sha256/${digest.slice(7)}`)?.equals(bytes)).toBe(true);
  });

  test('names images as it is told to', async () => {
    const nameOf = (): string => 'airdock.invalid/shop/postgres:0123456789ab';
    const entries = await entriesOf(dockerArchive({ images: [db.record], nameOf, openBlob }));
    expect(json(entries, 'manifest.json')).toMatchObject([{ RepoTags: ['airdock.invalid/shop/postgres:0123456789ab'] }]);
    expect(json(entries, 'index.json')).toMatchObject({
      manifests: [
        {
          digest: db.record.manifestDigest,
          annotations: {
            'io.containerd.image.name': 'airdock.invalid/shop/postgres:0123456789ab',
            'org.opencontainers.image.ref.name': 'airdock.invalid/shop/postgres:0123456789ab',
          },
        },
      ],
    });
  });

  test('a reference with a digest is named by its tag, one without a tag not at all', async () => {
    const images = ['docker.io/library/postgres:15@', 'localhost:5000/postgres@'].map((name) => ({
      ...db.record,
      reference: name + db.record.manifestDigest,
    }));
    const entries = await entriesOf(dockerArchive({ images, openBlob }));
    expect(json(entries, 'manifest.json')).toMatchObject([{ RepoTags: ['docker.io/library/postgres:15'] }, { RepoTags: null }]);
  });

  test('leaves layers out, but still names them', async () => {
    const [base] = app.record.layers;
    const entries = await entriesOf(
      dockerArchive({ images: [app.record], leaveOut: (digest) => digest === base?.digest, openBlob }),
    );
    expect(entries.size).toBe(3 + app.blobs.size - 1);
    expect(json(entries, 'manifest.json')).toMatchObject([
      { Layers: app.record.layers.map(({ digest }) => `blobs/sha256/${digest.slice(7)}`) },
    ]);
  });

  test.each([
    ['other bytes', (bytes: Buffer) => Buffer.alloc(bytes.length)],
    ['too few', (bytes: Buffer) => bytes.subarray(1)],
    ['too many', (bytes: Buffer) => Buffer.concat([bytes, bytes])],
  ])('a stored blob with %s ends it', async (_what, damage) => {
    const damaged = async function* (digest: Digest): AsyncIterable<Buffer> {
      yield damage(blobs.get(digest) ?? Buffer.of());
    };
    await expect(Array.fromAsync(dockerArchive({ images: [app.record], openBlob: damaged }))).rejects.toMatchObject({
      code: 'STORE_CORRUPT',
    });
  });
});
