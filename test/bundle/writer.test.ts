import { createReadStream } from 'node:fs';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeBundle, type BundleInput, type FileContent } from '../../src/bundle/writer.ts';
import { digestOf } from '../../src/digest.ts';
import { blobInputs, makeRelease, temporaryFolder, testKey } from '../helpers/bundle.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => folder[Symbol.asyncDispose]());

function input(changes: Partial<BundleInput> = {}): BundleInput {
  const { manifest, files, blobs } = makeRelease();
  return { manifest, files, blobs: blobInputs(blobs), sign: testKey.sign, ...changes };
}

describe('writing', () => {
  test('FORMAT.md 10: two writes differ in the signature slot only', async () => {
    const one = folder.file('one.tar');
    const two = folder.file('two.tar');
    const { manifest, files, blobs } = makeRelease();
    const first = await writeBundle(one, { manifest, files, blobs: blobInputs(blobs), sign: testKey.sign });
    // The order of what is given does not matter.
    const again = {
      manifest,
      files: new Map([...files].toReversed()),
      blobs: blobInputs(blobs).toReversed(),
      sign: testKey.sign,
    };
    await writeBundle(two, again);
    const a = await readFile(one);
    const b = await readFile(two);
    expect(first).toEqual({ size: a.length, digest: digestOf(a) });
    const slot = a.indexOf('SHA256SUMS.sig') + 512;
    expect(a.subarray(slot, slot + 512).equals(b.subarray(slot, slot + 512))).toBe(false);
    b.copy(a, slot, slot, slot + 512);
    expect(a.equals(b)).toBe(true);
  });

  test('an unsigned bundle has a slot of newlines', async () => {
    const path = folder.file('unsigned.tar');
    await writeBundle(path, input({ sign: undefined }));
    const bytes = await readFile(path);
    const slot = bytes.indexOf('SHA256SUMS.sig') + 512;
    expect(bytes.subarray(slot, slot + 512).equals(Buffer.alloc(512, '\n'))).toBe(true);
  });

  test('a file may be given by its path', async () => {
    const release = makeRelease();
    await writeFile(folder.file('compose'), release.files.get('compose.yaml') ?? '');
    const files = new Map<string, FileContent>([
      ...release.files,
      ['compose.yaml', { open: () => createReadStream(folder.file('compose')) }],
    ]);
    const { digest } = await writeBundle(folder.file('path.tar'), input({ files, sign: undefined }));
    expect(digest).toBe((await writeBundle(folder.file('bytes.tar'), input({ sign: undefined }))).digest);
  });

  test('progress ends at the total', async () => {
    const seen: [number, number][] = [];
    await writeBundle(folder.file('progress.tar'), input({ onProgress: (bytes, total) => seen.push([bytes, total]) }));
    const [last] = seen.slice(-1);
    expect(last?.[0]).toBe(last?.[1]);
  });
});

describe('a failure leaves nothing, and keeps what was there', () => {
  const { manifest, files, blobs } = makeRelease();
  const [first, ...rest] = blobInputs(blobs);
  const wrong = (bytes: string): BundleInput['blobs'] => [
    ...rest,
    {
      digest: first?.digest ?? digestOf(''),
      size: first?.size ?? 0,
      async *open() {
        yield Buffer.from(bytes);
      },
    },
  ];
  const large = manifest.images.map((image) => ({
    ...image,
    layers: image.layers.map((layer) => ({ ...layer, size: 8 * 2 ** 30 })),
  }));
  const broken: BundleInput['blobs'] = [
    ...rest,
    {
      digest: first?.digest ?? digestOf(''),
      size: 1,
      // eslint-disable-next-line require-yield
      async *open() {
        throw new Error('the registry went away');
      },
    },
  ];
  const failures: [string, Partial<BundleInput>, { code?: string; message?: string }][] = [
    ['a blob with other bytes', { blobs: wrong('x'.repeat(first?.size ?? 0)) }, { code: 'SOURCE_CORRUPT' }],
    ['a blob that is too short', { blobs: wrong('x') }, { code: 'SOURCE_CORRUPT' }],
    ['a blob that is too long', { blobs: wrong('x'.repeat(100_000)) }, { code: 'SOURCE_CORRUPT' }],
    ['a source that breaks', { blobs: broken }, { message: 'the registry went away' }],
    ['a blob that is not there', { blobs: rest }, { code: 'INTERNAL' }],
    ['a file with other bytes', { files: new Map([...files, ['compose.yaml', Buffer.from('x')]]) }, { code: 'SOURCE_CORRUPT' }],
    ['a layer of 8 GiB', { manifest: { ...manifest, images: large } }, { code: 'LAYER_TOO_LARGE' }],
    ['a manifest that no reader takes', { manifest: { ...manifest, files: [] } }, { code: 'BUNDLE_MANIFEST_INVALID' }],
    ['an invalid manifest', { manifest: { ...manifest, version: '1' } }, { code: 'BUNDLE_MANIFEST_INVALID' }],
    ['a key that fails', { sign: () => Buffer.alloc(500) }, { code: 'SIGNATURE_MALFORMED' }],
    ['an interruption', { signal: AbortSignal.abort(new Error('stop')) }, { message: 'stop' }],
  ];
  test.each(failures)('%s', async (_what, changes, error) => {
    await using own = await temporaryFolder();
    const path = own.file('bundle.tar');
    await expect(writeBundle(path, input(changes))).rejects.toMatchObject(error);
    expect(await readdir(own.path)).toEqual([]);
    await writeFile(path, 'the last release');
    await expect(writeBundle(path, input(changes))).rejects.toMatchObject(error);
    expect(await readdir(own.path)).toEqual(['bundle.tar']);
    expect(await readFile(path, 'utf8')).toBe('the last release');
  });

  test('an interruption half way', async () => {
    await using own = await temporaryFolder();
    const stop = new AbortController();
    const onProgress = (bytes: number, total: number): void => {
      if (bytes > total / 2) stop.abort(new Error('stop'));
    };
    await expect(writeBundle(own.file('bundle.tar'), input({ signal: stop.signal, onProgress }))).rejects.toThrow('stop');
    expect(await readdir(own.path)).toEqual([]);
  });

  test('a directory that is not there', async () => {
    await expect(writeBundle(folder.file('none/bundle.tar'), input())).rejects.toMatchObject({ code: 'USAGE' });
  });
});
