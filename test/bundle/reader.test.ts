import { appendFile, readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openBundle } from '../../src/bundle/reader.ts';
import { authorizeBy, encodeSlot, unsignedSlot } from '../../src/bundle/signature.ts';
import { archiveEnd, encodeHeader } from '../../src/bundle/tar.ts';
import { verifyBundle } from '../../src/bundle/verify.ts';
import { digestOf } from '../../src/digest.ts';
import { makeImage, otherKey, temporaryFolder, testKey, writeTestBundle } from '../helpers/bundle.ts';
import {
  dataOf,
  edit,
  mtime,
  putTogether,
  relist,
  remanifest,
  replace,
  resign,
  takeApart,
  without,
  write,
  type RawEntry,
} from '../helpers/forge.ts';

const authorize = authorizeBy([testKey.publicPem]);
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let good: RawEntry[];
let bytes: Buffer;

beforeAll(async () => {
  folder = await temporaryFolder();
  await writeTestBundle(folder.file('good.tar'), { files: { 'bin/airdock-linux-x64.gz': 'installer' } });
  good = await takeApart(folder.file('good.tar'));
  bytes = await readFile(folder.file('good.tar'));
});
afterAll(() => folder[Symbol.asyncDispose]());

/** Reads everything; gives the code of the first finding, or `ok`. */
async function codeOf(content: Buffer): Promise<string> {
  const path = await write(folder.file('hostile.tar'), content);
  const { findings } = await verifyBundle(path, { authorize, full: true });
  return findings[0]?.code ?? 'ok';
}

const layerName = (): string => good.at(-1)?.name ?? '';
const swap = (entries: readonly RawEntry[], a: number, b: number): RawEntry[] => {
  return entries.map((entry, index) => (index === a ? entries[b] : index === b ? entries[a] : entry) ?? entry);
};
const indexOf = (name: string): number => good.findIndex((entry) => entry.name === name);
const header = (change: { name?: string; size?: number; mtime?: number }): Buffer =>
  encodeHeader({ name: 'x', size: 0, mtime, ...change });

/** Each rule of FORMAT.md; where it lies behind the signature, the bundle is signed again with the right key. */
const cases: readonly (readonly [rule: string, code: string, forge: () => Buffer])[] = [
  ['0 the untouched bundle', 'ok', () => putTogether(good)],
  ['1.1 another tar', 'BUNDLE_HEADER', () => Buffer.alloc(2048, 'x')],
  [
    '1.1 an entry with another time',
    'BUNDLE_HEADER',
    () => putTogether(replace(good, 'README.md', { header: header({ name: 'README.md', size: 7, mtime: 1 }) })),
  ],
  [
    '1.1 a signature with another time',
    'BUNDLE_HEADER',
    () => putTogether(replace(good, 'SHA256SUMS.sig', { header: header({ name: 'SHA256SUMS.sig', size: 512, mtime: 1 }) })),
  ],
  [
    '1.1 another time than created',
    'BUNDLE_HEADER',
    () =>
      putTogether(good.map((entry) => ({ ...entry, header: header({ name: entry.name, size: entry.data.length, mtime: 1 }) }))),
  ],
  ['1.2 begins with another entry', 'BUNDLE_ORDER', () => putTogether(good.slice(1))],
  ['1.2 no signature behind the sums', 'BUNDLE_ORDER', () => putTogether(without(good, 'SHA256SUMS.sig'))],
  ['1.2 bundle.json later', 'BUNDLE_ORDER', () => putTogether(swap(good, indexOf('bundle.json'), indexOf('README.md')))],
  [
    '1.2 small files in another order',
    'BUNDLE_ORDER',
    () => putTogether(swap(good, indexOf('compose.yaml'), indexOf('env.template'))),
  ],
  [
    '1.2 index.json before oci-layout',
    'BUNDLE_ORDER',
    () => putTogether(swap(good, indexOf('oci-layout'), indexOf('index.json'))),
  ],
  ['1.2 layers in another order', 'BUNDLE_ORDER', () => putTogether(swap(good, good.length - 1, good.length - 2))],
  [
    '1.2 a name that no bundle has',
    'BUNDLE_ENTRY_UNKNOWN',
    () => putTogether([...good, { name: 'install.sh', data: Buffer.from('x') }]),
  ],
  ['1.2 a way up', 'BUNDLE_ENTRY_UNKNOWN', () => putTogether([...good, { name: '../../etc/passwd', data: Buffer.from('x') }])],
  [
    '1.2 a second bundle.json',
    'BUNDLE_ENTRY_DUPLICATE',
    () => putTogether([...good, { name: 'bundle.json', data: Buffer.from('{}') }]),
  ],
  [
    '1.2 second sums',
    'BUNDLE_ENTRY_DUPLICATE',
    () => putTogether([...good, { name: 'SHA256SUMS', data: dataOf(good, 'SHA256SUMS') }]),
  ],
  [
    '1.2 a layer twice',
    'BUNDLE_ENTRY_DUPLICATE',
    () => putTogether([...good, { name: layerName(), data: dataOf(good, layerName()) }]),
  ],
  [
    '1.2 an unlisted blob',
    'BUNDLE_ENTRY_UNLISTED',
    () => putTogether([...good, { name: `blobs/sha256/${'0'.repeat(64)}`, data: Buffer.from('x') }]),
  ],
  [
    '1.2 an unlisted trust.json',
    'BUNDLE_ENTRY_UNLISTED',
    () => putTogether([...good.slice(0, 2), { name: 'trust.json', data: Buffer.from('{}') }, ...good.slice(2)]),
  ],
  [
    '1.3 padding that is not zero',
    'BUNDLE_PADDING',
    () => putTogether(replace(good, 'README.md', { padding: Buffer.alloc(505, 1) })),
  ],
  [
    '1.3 padding behind the sums',
    'BUNDLE_PADDING',
    () => putTogether(replace(good, 'SHA256SUMS', { padding: Buffer.alloc(512 - (dataOf(good, 'SHA256SUMS').length % 512), 1) })),
  ],
  [
    '1.3 padding behind the last layer',
    'BUNDLE_PADDING',
    () => putTogether(replace(good, layerName(), { padding: Buffer.alloc(512 - (dataOf(good, layerName()).length % 512), 1) })),
  ],
  ['1.3 no end', 'BUNDLE_TRUNCATED', () => putTogether(good, Buffer.alloc(0))],
  ['1.3 one block at the end', 'BUNDLE_TRUNCATED', () => putTogether(good, Buffer.alloc(512))],
  ['1.3 an empty file', 'BUNDLE_TRUNCATED', () => Buffer.alloc(0)],
  ['1.3 one byte more', 'BUNDLE_TRAILING_DATA', () => Buffer.concat([bytes, Buffer.of(0)])],
  ['1.3 a third block of zeros', 'BUNDLE_TRAILING_DATA', () => Buffer.concat([bytes, Buffer.alloc(512)])],
  ['1.3 a second archive', 'BUNDLE_TRAILING_DATA', () => Buffer.concat([bytes, bytes])],
  [
    '1.3 a second archive behind one block',
    'BUNDLE_TRAILING_DATA',
    () => Buffer.concat([putTogether(good, Buffer.alloc(512)), bytes]),
  ],
  [
    '1.3 a file that says it is larger',
    'BUNDLE_PADDING',
    () => putTogether(replace(good, 'README.md', { header: header({ name: 'README.md', size: 600 }) })),
  ],
  [
    '1.3 a file that says it is larger, with those bytes',
    'BUNDLE_SIZE_MISMATCH',
    () => putTogether(replace(good, 'README.md', { data: Buffer.alloc(600) })),
  ],
  [
    '1.3 a layer that says it is smaller',
    'BUNDLE_SIZE_MISMATCH',
    () => putTogether(replace(good, layerName(), { header: header({ name: layerName(), size: 1 }), data: Buffer.alloc(1) })),
  ],
  [
    '1.3 a layer that says it has 7 GiB',
    'BUNDLE_TRUNCATED',
    () => putTogether(replace(good, layerName(), { header: header({ name: layerName(), size: 7 * 2 ** 30 }) })),
  ],
  [
    '2 sums in another order',
    'BUNDLE_SUMS_INVALID',
    () =>
      putTogether(
        resign(
          replace(good, 'SHA256SUMS', {
            data: Buffer.from(dataOf(good, 'SHA256SUMS').toString().trimEnd().split('\n').toReversed().join('\n') + '\n'),
          }),
        ),
      ),
  ],
  [
    '2 a file with other bytes',
    'BUNDLE_DIGEST_MISMATCH',
    () =>
      putTogether(
        replace(good, 'compose.yaml', { data: Buffer.from(dataOf(good, 'compose.yaml').toString().replace('api', 'apx')) }),
      ),
  ],
  [
    '2 a layer with other bytes',
    'BUNDLE_DIGEST_MISMATCH',
    () => putTogether(replace(good, layerName(), { data: Buffer.alloc(dataOf(good, layerName()).length) })),
  ],
  [
    '2 an installer with other bytes',
    'BUNDLE_DIGEST_MISMATCH',
    () => putTogether(replace(good, 'bin/airdock-linux-x64.gz', { data: Buffer.from('INSTALLER') })),
  ],
  ['3 a flipped byte of the sums', 'SIGNATURE_INVALID', () => putTogether(edit(good, 'SHA256SUMS', '0', '1'))],
  ['3 another key', 'SIGNATURE_INVALID', () => putTogether(resign(good, otherKey.sign))],
  [
    '3 the signature of another bundle',
    'SIGNATURE_INVALID',
    () => putTogether(replace(good, 'SHA256SUMS.sig', { data: encodeSlot(testKey.sign(Buffer.from('x'))) })),
  ],
  ['3 nobody signed', 'SIGNATURE_MALFORMED', () => putTogether(replace(good, 'SHA256SUMS.sig', { data: unsignedSlot }))],
  ['3 not base64', 'SIGNATURE_MALFORMED', () => putTogether(replace(good, 'SHA256SUMS.sig', { data: Buffer.alloc(512, '!') }))],
  [
    '4.1 a manifest in another form',
    'BUNDLE_MANIFEST_INVALID',
    () => putTogether(relist(edit(good, 'bundle.json', '  ', '   '))),
  ],
  [
    '4 a manifest with an unknown member',
    'BUNDLE_MANIFEST_INVALID',
    () => putTogether(relist(edit(good, 'bundle.json', '"product"', '"extra": 1,\n  "product"'))),
  ],
  [
    '4.2 another format',
    'BUNDLE_FORMAT_UNKNOWN',
    () => putTogether(relist(edit(good, 'bundle.json', '"format": 1', '"format": 2'))),
  ],
  [
    '4.3 a file of another digest',
    'BUNDLE_MANIFEST_INVALID',
    () => putTogether(relist(edit(good, 'compose.yaml', 'api', 'apx'))),
  ],
  [
    '4.3 a listed file that bundle.json does not know',
    'BUNDLE_MANIFEST_INVALID',
    () =>
      putTogether(
        relist([
          ...good,
          { name: `blobs/sha256/2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881`, data: Buffer.from('x') },
        ]),
      ),
  ],
  [
    '4.3 a file of bundle.json that is not listed',
    'BUNDLE_MANIFEST_INVALID',
    () => putTogether(relist(without(good, layerName()))),
  ],
  [
    '4.3 a role that does not fit',
    'BUNDLE_MANIFEST_INVALID',
    () => putTogether(relist(edit(good, 'bundle.json', '"role": "readme"', '"role": "chart"'))),
  ],
  [
    '4.3 no compose file',
    'BUNDLE_MANIFEST_INVALID',
    () =>
      putTogether(relist(without(edit(good, 'bundle.json', /,\n {4}\{[^}]*"path": "compose.yaml"[^}]*\}/, ''), 'compose.yaml'))),
  ],
  [
    '4.3 two sizes of one blob',
    'BUNDLE_MANIFEST_INVALID',
    () =>
      putTogether(
        remanifest(good, (m) => ({
          ...m,
          images: m.images.map((image) =>
            image.usedBy.includes('compose web')
              ? { ...image, layers: image.layers.map((layer) => ({ ...layer, size: layer.size + 1 })) }
              : image,
          ),
        })),
      ),
  ],
  [
    '4.3 images in another order',
    'BUNDLE_MANIFEST_INVALID',
    () => putTogether(remanifest(good, (m) => ({ ...m, images: m.images.toReversed() }))),
  ],
  [
    '4.3 an image twice',
    'BUNDLE_MANIFEST_INVALID',
    () => putTogether(remanifest(good, (m) => ({ ...m, images: m.images.flatMap((image) => [image, image]) }))),
  ],
  [
    '4.3 files in another order',
    'BUNDLE_MANIFEST_INVALID',
    () => putTogether(remanifest(good, (m) => ({ ...m, files: m.files.toReversed() }))),
  ],
  [
    '4.3 a file twice',
    'BUNDLE_MANIFEST_INVALID',
    () => putTogether(remanifest(good, (m) => ({ ...m, files: m.files.flatMap((file) => [file, file]) }))),
  ],
  [
    '4.3 two charts',
    'BUNDLE_MANIFEST_INVALID',
    () =>
      putTogether(
        remanifest(good, (m) => ({
          ...m,
          files: m.files.flatMap((file) => (file.role === 'chart' ? [file, { ...file, path: 'chart/shop-0.3.1.tgz' }] : [file])),
        })),
      ),
  ],
  [
    '4.3 a file whose name is no file of a release',
    'BUNDLE_MANIFEST_INVALID',
    () =>
      putTogether(
        remanifest(good, (m) => ({
          ...m,
          files: m.files.map((file) => (file.role === 'readme' ? { ...file, path: '../README.md' } : file)),
        })),
      ),
  ],
  [
    '8 a config of more than 4 MiB',
    'BUNDLE_ENTRY_TOO_LARGE',
    () =>
      putTogether(
        remanifest(good, (m) => ({ ...m, images: m.images.map((image) => ({ ...image, configSize: 4 * 2 ** 20 + 1 })) })),
      ),
  ],
  [
    '8 a layer of 8 GiB',
    'BUNDLE_ENTRY_TOO_LARGE',
    () =>
      putTogether(
        remanifest(good, (m) => ({
          ...m,
          images: m.images.map((image) => ({ ...image, layers: image.layers.map((layer) => ({ ...layer, size: 8 * 2 ** 30 })) })),
        })),
      ),
  ],
  [
    '5 another index.json',
    'BUNDLE_LAYOUT_INVALID',
    () => putTogether(relist(edit(good, 'index.json', 'shop-api:0.3.0', 'shop-api:9.9.9'))),
  ],
  [
    '5 another manifest.json',
    'BUNDLE_LAYOUT_INVALID',
    () => putTogether(relist(edit(good, 'manifest.json', 'shop-api:0.3.0', 'shop-web:0.3.0'))),
  ],
  ['5 another oci-layout', 'BUNDLE_LAYOUT_INVALID', () => putTogether(relist(edit(good, 'oci-layout', '1.0.0', '1.0.1')))],
  ['7 no compose file in the tar', 'BUNDLE_ENTRY_MISSING', () => putTogether(without(good, 'compose.yaml'))],
  ['7 no index.json', 'BUNDLE_ENTRY_MISSING', () => putTogether(without(good, 'index.json'))],
  [
    '7 a config left out',
    'BUNDLE_ENTRY_MISSING',
    () => putTogether(without(good, good[indexOf('manifest.json') + 4]?.name ?? '')),
  ],
  ['7 a layer left out, but all is wanted', 'BUNDLE_ENTRY_MISSING', () => putTogether(without(good, layerName()))],
  [
    '8 sums of more than 1 MiB',
    'BUNDLE_ENTRY_TOO_LARGE',
    () => putTogether(replace(good, 'SHA256SUMS', { header: header({ name: 'SHA256SUMS', size: 2 ** 20 + 1 }) })),
  ],
  [
    '8 a signature of another size',
    'BUNDLE_ENTRY_TOO_LARGE',
    () => putTogether(replace(good, 'SHA256SUMS.sig', { data: Buffer.alloc(513, '\n') })),
  ],
  [
    '8 bundle.json of more than 4 MiB',
    'BUNDLE_ENTRY_TOO_LARGE',
    () => putTogether(replace(good, 'bundle.json', { data: Buffer.alloc(4 * 2 ** 20 + 1) })),
  ],
  [
    '8 trust.json of more than 256 KiB',
    'BUNDLE_ENTRY_TOO_LARGE',
    () =>
      putTogether(relist([...good.slice(0, 2), { name: 'trust.json', data: Buffer.alloc(256 * 1024 + 1) }, ...good.slice(2)])),
  ],
  [
    '8 a readme of more than 16 MiB',
    'BUNDLE_ENTRY_TOO_LARGE',
    () => putTogether(relist(edit(good, 'bundle.json', '"size": 7\n', '"size": 16777217\n'))),
  ],
];

describe('a hostile bundle is refused with the code of its rule', () => {
  test.each(cases)('FORMAT.md %s: %s', async (_rule, code, forge) => {
    expect(await codeOf(forge())).toBe(code);
  });

  test('every code that FORMAT.md gives a reader has a case', async () => {
    const format = await readFile(new URL('../../docs/FORMAT.md', import.meta.url), 'utf8');
    const named = [...format.matchAll(/\[([A-Z_, ]+)\]/g)].flatMap(([, codes = '']) => codes.split(', '));
    const elsewhere = ['LAYER_TOO_LARGE', 'KEY_NOT_TRUSTED', 'KEY_UNREADABLE', 'BUNDLE_UNREADABLE'];
    const tried = new Set([...cases.map(([, code]) => code), ...elsewhere]);
    expect(named.filter((code) => !tried.has(code))).toEqual([]);
  });
});

describe('damage', () => {
  test('cut short at every 512 bytes', async () => {
    expect(bytes.length).toBeLessThanOrEqual(64 * 1024);
    for (let length = 0; length < bytes.length; length += 512) {
      expect(await codeOf(bytes.subarray(0, length)), `at ${length}`).toBe('BUNDLE_TRUNCATED');
    }
  });

  test('one flipped byte in the header, the data and the padding of every entry', async () => {
    let at = 0;
    for (const { name, data } of good) {
      const positions = [at, at + 512, at + 512 + data.length - 1, at + 512 + data.length];
      for (const position of positions) {
        const changed = Buffer.from(bytes);
        changed[position] = (changed[position] ?? 0) ^ 1;
        expect(await codeOf(changed), `${name} at ${position - at}`).not.toBe('ok');
      }
      at += 512 + Math.ceil(data.length / 512) * 512;
    }
    expect(at + archiveEnd.length).toBe(bytes.length);
  });

  test('several damaged layers are all named', async () => {
    const changed = good.map((entry, index) =>
      index >= good.length - 2 ? { ...entry, data: Buffer.alloc(entry.data.length) } : entry,
    );
    const path = await write(folder.file('hostile.tar'), putTogether(changed));
    const { ok, findings, version } = await verifyBundle(path, { authorize });
    expect({ ok, version, codes: findings.map(({ code }) => code) }).toEqual({
      ok: false,
      version: '0.3.0',
      codes: ['BUNDLE_DIGEST_MISMATCH', 'BUNDLE_DIGEST_MISMATCH'],
    });
  });
});

describe('FORMAT.md 6, image documents', () => {
  const image = makeImage('example.org/app:1', ['one', 'two']);
  const other = makeImage('example.org/app:1', ['three', 'two']);
  const mixed = (record: typeof image.record): typeof image => ({ record, blobs: new Map([...image.blobs, ...other.blobs]) });
  test.each([
    [
      'a config of another image',
      { ...image.record, configDigest: other.record.configDigest, configSize: other.record.configSize },
    ],
    ['layers of another image', { ...image.record, layers: other.record.layers }],
    ['layers in another order', { ...image.record, layers: image.record.layers.toReversed() }],
    ['another diffId', { ...image.record, layers: image.record.layers.map((layer) => ({ ...layer, diffId: layer.digest })) }],
  ])('%s', async (_what, record) => {
    const path = folder.file('image.tar');
    const release = mixed(record);
    const blobs = new Map([...release.blobs].filter(([digest]) => JSON.stringify(record).includes(digest)));
    await writeTestBundle(path, { images: [{ record, blobs }] });
    await expect(openBundle(path, { authorize })).rejects.toMatchObject({ code: 'BUNDLE_LAYOUT_INVALID' });
  });

  test('a manifest that is none', async () => {
    const text = Buffer.from('[]');
    const forged = makeImage('example.org/app:1', ['one']);
    const record = { ...forged.record, manifestDigest: digestOf(text), manifestSize: text.length };
    const blobs = new Map([...forged.blobs, [digestOf(text), text] as const]);
    blobs.delete(forged.record.manifestDigest);
    await writeTestBundle(folder.file('image.tar'), { images: [{ record, blobs }] });
    await expect(openBundle(folder.file('image.tar'), { authorize })).rejects.toMatchObject({ code: 'BUNDLE_LAYOUT_INVALID' });
  });
});

describe('FORMAT.md 7, slim bundles', () => {
  test('layers and installers may be left out, and are named', async () => {
    const names = [layerName(), 'bin/airdock-linux-x64.gz'];
    const path = await write(folder.file('slim.tar'), putTogether(good.filter(({ name }) => !names.includes(name))));
    const report = await verifyBundle(path, { authorize });
    expect(report.ok).toBe(true);
    expect(report.leftOut.toSorted()).toEqual(names.toSorted());
    const full = await verifyBundle(path, { authorize, full: true });
    expect(full.findings.map(({ code }) => code)).toEqual(['BUNDLE_ENTRY_MISSING', 'BUNDLE_ENTRY_MISSING']);
  });
});

describe('reading', () => {
  test('gives files, blobs and installers', async () => {
    const bundle = await openBundle(folder.file('good.tar'), { authorize });
    expect(bundle.signer.fingerprint).toBe(testKey.fingerprint);
    expect(bundle.files.get('env.template')?.toString()).toBe('VERSION=0.3.0\n');
    expect(bundle.files.has('bin/airdock-linux-x64.gz')).toBe(false);
    expect(bundle.installers.map(({ name }) => name)).toEqual(['bin/airdock-linux-x64.gz']);
    expect(bundle.signatureBytes).toHaveLength(512);
    const read: string[] = [];
    for await (const blob of bundle.blobs()) {
      // Every second one is skipped.
      if (read.push(blob.digest) % 2 === 0) continue;
      const chunks = await Array.fromAsync(blob.read());
      expect(Buffer.concat(chunks).equals(dataOf(good, `blobs/sha256/${blob.digest.slice(7)}`))).toBe(true);
    }
    expect(read.map((digest) => `blobs/sha256/${digest.slice(7)}`)).toEqual(
      good.slice(indexOf('manifest.json') + 1).map(({ name }) => name),
    );
    await bundle.close();
  });

  test('an optional trust.json is checked, and nothing is taken from it', async () => {
    const entries = [...good.slice(0, 2), { name: 'trust.json', data: Buffer.from('{}\n') }, ...good.slice(2)];
    const path = await write(folder.file('trust.tar'), putTogether(relist(entries)));
    const bundle = await openBundle(path, { authorize });
    expect(bundle.files.get('trust.json')?.toString()).toBe('{}\n');
    await bundle.close();
    expect(await codeOf(putTogether(without(relist(entries), 'trust.json')))).toBe('BUNDLE_ENTRY_MISSING');
  });

  test('nothing is parsed before the signature is good', async () => {
    const path = await write(
      folder.file('hostile.tar'),
      putTogether(replace(good, 'SHA256SUMS', { data: Buffer.from('not sums') })),
    );
    await expect(openBundle(path, { authorize })).rejects.toMatchObject({ code: 'SIGNATURE_INVALID' });
  });

  test('a file that changes while it is read', async () => {
    const path = await write(folder.file('changing.tar'), bytes);
    const bundle = await openBundle(path, { authorize });
    await appendFile(path, 'x');
    await expect(Array.fromAsync(bundle.blobs())).rejects.toMatchObject({ code: 'BUNDLE_UNREADABLE' });
    await bundle.close();
  });

  test('no file, a directory', async () => {
    await expect(openBundle(folder.file('none.tar'), { authorize })).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
    await expect(openBundle(folder.path, { authorize })).rejects.toMatchObject({ code: 'BUNDLE_UNREADABLE' });
  });

  test('an aborted signal ends it', async () => {
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(openBundle(folder.file('good.tar'), { authorize, signal })).rejects.toThrow('enough');
  });
});
