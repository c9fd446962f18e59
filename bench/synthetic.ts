// synthetic.ts FOLDER VERSION LAYERS MIB: a product of one service in FOLDER/project (no database), and its image as an OCI
// layout in FOLDER/layout: busybox, and LAYERS layers of MIB mebibytes each that no compression makes smaller.
import { createCipheriv, createHash } from 'node:crypto';
import { copyFileSync, createWriteStream, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { Header } from 'tar/header';

const [folder = '', version = '', layers = '', mebibytes = ''] = process.argv.slice(2);
const layout = join(folder, 'layout');
const blobs = join(layout, 'blobs/sha256');
mkdirSync(blobs, { recursive: true });

type File = { path: string; mode: number; size: number; content: () => Iterable<Buffer> };
function* tar(file: File): Iterable<Buffer> {
  const header = Buffer.alloc(512);
  const { path, mode, size } = file;
  new Header({ path, mode, size, mtime: new Date(0), type: 'File', uid: 0, gid: 0 }).encode(header);
  yield header;
  yield* file.content();
  yield Buffer.alloc(((512 - (size % 512)) % 512) + 1024);
}
function bytesFile(path: string, mode: number, bytes: Buffer): File {
  return { path, mode, size: bytes.length, content: () => [bytes] };
}
/** AES in counter mode over zeros: fast, the same in each run, and noise to any compressor. */
function noise(path: string, size: number, seed: string): File {
  return {
    path,
    mode: 0o644,
    size,
    *content() {
      const cipher = createCipheriv('aes-256-ctr', createHash('sha256').update(seed).digest(), Buffer.alloc(16));
      const zeros = Buffer.alloc(1 << 20);
      for (let at = 0; at < size; at += zeros.length) yield cipher.update(zeros);
    },
  };
}

type Descriptor = { mediaType: string; digest: string; size: number };
async function addLayer(file: File): Promise<Descriptor & { diffId: string }> {
  const plain = createHash('sha256');
  const packed = createHash('sha256');
  const temporary = join(blobs, 'new');
  let size = 0;
  await pipeline(
    Readable.from(tar(file)),
    async function* (chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) yield (plain.update(chunk), chunk);
    },
    createGzip({ level: 0, chunkSize: 1 << 20 }),
    async function* (chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) yield (packed.update(chunk), (size += chunk.length), chunk);
    },
    createWriteStream(temporary),
  );
  const hex = packed.digest('hex');
  renameSync(temporary, join(blobs, hex));
  const mediaType = 'application/vnd.oci.image.layer.v1.tar+gzip';
  return { mediaType, digest: `sha256:${hex}`, size, diffId: `sha256:${plain.digest('hex')}` };
}
function addJson(mediaType: string, value: unknown): Descriptor {
  const bytes = Buffer.from(JSON.stringify(value));
  const hex = createHash('sha256').update(bytes).digest('hex');
  writeFileSync(join(blobs, hex), bytes);
  return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
}

const busybox = ['/bin/busybox', '/usr/bin/busybox'].find((path) => existsSync(path));
if (busybox === undefined) throw new Error('no busybox-static');
const made = [
  await addLayer(bytesFile('bin/busybox', 0o755, readFileSync(busybox))),
  await addLayer(bytesFile('www/health', 0o644, Buffer.from('ok\n'))),
];
for (let n = 0; n < Number(layers); n += 1) {
  made.push(await addLayer(noise(`data/${n}`, Number(mebibytes) << 20, `${version} ${n}`)));
}
const config = addJson('application/vnd.oci.image.config.v1+json', {
  architecture: 'amd64',
  os: 'linux',
  config: { Entrypoint: ['/bin/busybox'], Cmd: ['httpd', '-f', '-p', '80', '-h', '/www'] },
  rootfs: { type: 'layers', diff_ids: made.map(({ diffId }) => diffId) },
});
const manifest = addJson('application/vnd.oci.image.manifest.v1+json', {
  schemaVersion: 2,
  mediaType: 'application/vnd.oci.image.manifest.v1+json',
  config,
  layers: made.map(({ mediaType, digest, size }) => ({ mediaType, digest, size })),
});
writeFileSync(join(layout, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
const annotations = { 'org.opencontainers.image.ref.name': 'image' };
writeFileSync(join(layout, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [{ ...manifest, annotations }] }));

const project = join(folder, 'project');
mkdirSync(project, { recursive: true });
copyFileSync(join(import.meta.dirname, 'synthetic.config.ts'), join(project, 'bundle.config.ts'));
writeFileSync(
  join(project, 'compose.yaml'),
  'services:\n  web:\n    image: bulk.example/bulk:${VERSION}\n    ports: ["${PORT:-8099}:80"]\n    stop_grace_period: 1s\n',
);
writeFileSync(join(project, 'env.template'), 'VERSION=\nPORT=8099\n');
writeFileSync(join(project, 'README.md'), '# Bulk\n');
