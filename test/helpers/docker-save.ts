import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { create } from 'tar';
import { hexOf, type Digest } from '../../src/digest.ts';
import type { TestImage } from './bundle.ts';

type Content = string | Buffer | { link: string };

/** A tar of these files, made by the tar library. */
export async function writeTar(path: string, files: Readonly<Record<string, Content>>, gzip = false): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), 'airdock-tar-'));
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, name)), { recursive: true });
    if (typeof content === 'object' && 'link' in content) await symlink(content.link, join(root, name));
    else await writeFile(join(root, name), content);
  }
  await create({ file: path, cwd: root, gzip }, Object.keys(files));
  await rm(root, { recursive: true });
}

/** As `docker save` of a classic store writes it: raw layers, one directory each; a shared layer is a symlink. */
export function dockerSaved(
  images: readonly TestImage[],
  tags = (image: TestImage): string[] | null => [image.record.reference],
) {
  const files: Record<string, Content> = {};
  const first = new Map<Digest, string>();
  const list = images.map((image, number) => {
    const config = `${hexOf(image.record.configDigest)}.json`;
    files[config] = blobOf(image, image.record.configDigest);
    const layers = image.record.layers.map((layer, index) => {
      const path = `${number}${index}${hexOf(layer.digest)}/layer.tar`;
      const known = first.get(layer.digest);
      first.set(layer.digest, path);
      files[path] = known === undefined ? gunzipSync(blobOf(image, layer.digest)) : { link: `../${known}` };
      return path;
    });
    return { Config: config, RepoTags: tags(image), Layers: layers };
  });
  return { ...files, 'manifest.json': JSON.stringify(list) };
}

/** An OCI image layout with the image's own manifest. */
export function ociLayoutFiles(
  images: readonly TestImage[],
  annotations = (image: TestImage): Record<string, string> | undefined => ({
    'org.opencontainers.image.ref.name': image.record.reference,
  }),
): Record<string, Content> {
  const blobs = images.flatMap((image) =>
    [...image.blobs].map(([digest, bytes]): [string, Buffer] => [`blobs/sha256/${hexOf(digest)}`, bytes]),
  );
  const manifests = images.map((image) => ({
    mediaType: image.record.manifestMediaType,
    digest: image.record.manifestDigest,
    size: image.record.manifestSize,
    annotations: annotations(image),
  }));
  return {
    'oci-layout': '{"imageLayoutVersion":"1.0.0"}',
    'index.json': JSON.stringify({ schemaVersion: 2, manifests }),
    ...Object.fromEntries(blobs),
  };
}

export async function writeFolder(root: string, files: Readonly<Record<string, Content>>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, name)), { recursive: true });
    if (typeof content === 'object' && 'link' in content) await symlink(content.link, join(root, name));
    else await writeFile(join(root, name), content);
  }
}

export function blobOf(image: TestImage, digest: Digest): Buffer {
  const bytes = image.blobs.get(digest);
  if (!bytes) throw new Error(`no blob ${digest}`);
  return bytes;
}
