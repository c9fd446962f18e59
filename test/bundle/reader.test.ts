import { readdir, readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { authorizeBy, type Trusted } from '../../src/bundle/authorize.ts';
import { openBundle, type OpenBundle } from '../../src/bundle/reader.ts';
import { encodeSlot, unsignedSlot } from '../../src/bundle/signature.ts';
import { archiveEnd, encodeHeader } from '../../src/bundle/tar.ts';
import type { TrustChain } from '../../src/bundle/trust.ts';
import { verifyBundle } from '../../src/bundle/verify.ts';
import { digestOf } from '../../src/digest.ts';
import { attacked, authorize, codeOf, indexOf, layerOf } from '../helpers/attack.ts';
import { makeImage, otherKey, testKey, writeTestBundle } from '../helpers/bundle.ts';
import {
  dataOf,
  edit,
  mtime,
  putTogether,
  relist,
  remanifest,
  replace,
  resign,
  without,
  write,
  type RawEntry,
} from '../helpers/forge.ts';
import { chainOf, newKey } from '../helpers/key-sets.ts';

const target = attacked();
let good: RawEntry[];
beforeAll(() => {
  good = target.entries;
});

const layerName = (): string => layerOf(target);
const header = (change: { name?: string; size?: number; mtime?: number }): Buffer =>
  encodeHeader({ name: 'x', size: 0, mtime, ...change });

/** Each rule of FORMAT.md; where it lies behind the signature, the bundle is signed again with the right key. */
const cases: readonly (readonly [rule: string, code: string, forge: () => Buffer])[] = [
  ['0 the untouched bundle', 'ok', () => putTogether(good)],
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
  [
    '2 a file with other bytes',
    'BUNDLE_DIGEST_MISMATCH',
    () =>
      putTogether(
        replace(good, 'compose.yaml', { data: Buffer.from(dataOf(good, 'compose.yaml').toString().replace('api', 'apx')) }),
      ),
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
    () => putTogether(without(good, good[indexOf(target, 'manifest.json') + 4]?.name ?? '')),
  ],
  ['7 a layer left out, but all is wanted', 'BUNDLE_ENTRY_MISSING', () => putTogether(without(good, layerName()))],
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
    expect(await codeOf(target, forge())).toBe(code);
  });

  test('every code that FORMAT.md gives a reader has a case', async () => {
    const format = await readFile(new URL('../../docs/FORMAT.md', import.meta.url), 'utf8');
    const named = [...format.matchAll(/\[([A-Z_, ]+)\]/g)].flatMap(([, codes = '']) => codes.split(', '));
    const elsewhere = ['LAYER_TOO_LARGE', 'KEY_NOT_TRUSTED', 'KEY_UNREADABLE', 'BUNDLE_UNREADABLE'];
    const attacks = new URL('../attacks/', import.meta.url);
    const texts = await Promise.all((await readdir(attacks)).map((name) => readFile(new URL(name, attacks), 'utf8')));
    const there = texts.flatMap((text) => [...text.matchAll(/'([A-Z_]{8,})'/g)].map(([, code = '']) => code));
    const tried = new Set([...cases.map(([, code]) => code), ...there, ...elsewhere]);
    expect(named.filter((code) => !tried.has(code))).toEqual([]);
  });
});

describe('damage', () => {
  test('one flipped byte in the header, the data and the padding of every entry', async () => {
    let at = 0;
    for (const { name, data } of good) {
      const positions = [at, at + 512, at + 512 + data.length - 1, at + 512 + data.length];
      for (const position of positions) {
        const changed = Buffer.from(target.bytes);
        changed[position] = (changed[position] ?? 0) ^ 1;
        expect(await codeOf(target, changed), `${name} at ${position - at}`).not.toBe('ok');
      }
      at += 512 + Math.ceil(data.length / 512) * 512;
    }
    expect(at + archiveEnd.length).toBe(target.bytes.length);
  });

  test('several damaged layers are all named', async () => {
    const changed = good.map((entry, index) =>
      index >= good.length - 2 ? { ...entry, data: Buffer.alloc(entry.data.length) } : entry,
    );
    const path = await write(target.folder.file('hostile.tar'), putTogether(changed));
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
    const path = target.folder.file('image.tar');
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
    await writeTestBundle(target.folder.file('image.tar'), { images: [{ record, blobs }] });
    await expect(openBundle(target.folder.file('image.tar'), { authorize })).rejects.toMatchObject({
      code: 'BUNDLE_LAYOUT_INVALID',
    });
  });
});

describe('FORMAT.md 7, slim bundles', () => {
  test('layers and installers may be left out, and are named', async () => {
    const names = [layerName(), 'bin/airdock-linux-x64.gz'];
    const path = await write(target.folder.file('slim.tar'), putTogether(good.filter(({ name }) => !names.includes(name))));
    const report = await verifyBundle(path, { authorize });
    expect(report.ok).toBe(true);
    expect(report.leftOut.toSorted()).toEqual(names.toSorted());
    const full = await verifyBundle(path, { authorize, full: true });
    expect(full.findings.map(({ code }) => code)).toEqual(['BUNDLE_ENTRY_MISSING', 'BUNDLE_ENTRY_MISSING']);
  });
});

describe('reading', () => {
  test('gives files, blobs and installers', async () => {
    const bundle = await openBundle(target.folder.file('good.tar'), { authorize });
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
      good.slice(indexOf(target, 'manifest.json') + 1).map(({ name }) => name),
    );
    await bundle.close();
  });

  describe('trust.json', () => {
    const root = newKey();
    const carrying = async (chain: TrustChain | Buffer): Promise<RawEntry[]> => {
      const data = Buffer.isBuffer(chain) ? chain : chain.bytes;
      return relist([...good.slice(0, 2), { name: 'trust.json', data }, ...good.slice(2)]);
    };
    const open = async (entries: readonly RawEntry[], trusted: Trusted): Promise<OpenBundle> => {
      const path = await write(target.folder.file('trust.tar'), putTogether(entries));
      const bundle = await openBundle(path, { authorize: authorizeBy(trusted) });
      await bundle.close();
      return bundle;
    };
    const roots = [{ fingerprint: root.fingerprint }];

    test('says whose signature is good', async () => {
      const chain = chainOf(root, [[newKey()], [testKey]]);
      const bundle = await open(await carrying(chain), { roots });
      expect(bundle.signer).toMatchObject({ fingerprint: testKey.fingerprint, chain: { product: 'shop' } });
      expect(bundle.files.get('trust.json')?.equals(chain.bytes)).toBe(true);
      const revoking = await carrying(chainOf(root, [[testKey], [newKey()]]));
      await expect(open(revoking, { roots })).rejects.toMatchObject({ code: 'KEY_REVOKED' });
    });

    test('is listed, there, and whole, whoever is trusted', async () => {
      const entries = await carrying(chainOf(root, [[testKey]]));
      expect(await codeOf(target, putTogether(entries))).toBe('ok');
      expect(await codeOf(target, putTogether(without(entries, 'trust.json')))).toBe('BUNDLE_ENTRY_MISSING');
      expect(await codeOf(target, putTogether(await carrying(Buffer.from('{}\n'))))).toBe('TRUST_INVALID');
      const other = chainOf(root, [[testKey], [newKey()]]);
      expect(await codeOf(target, putTogether(replace(entries, 'trust.json', { data: other.bytes })))).toBe(
        'BUNDLE_DIGEST_MISMATCH',
      );
    });

    test('is of the product', async () => {
      const entries = await carrying(chainOf(root, [[testKey]], 'notes'));
      for (const trusted of [{ roots }, { keys: [testKey.publicPem] }])
        await expect(open(entries, trusted)).rejects.toMatchObject({ code: 'KEY_NOT_TRUSTED' });
      // what was seen before is compared with the deployment: the reader knows none
      const seen = chainOf(root, [[testKey]], 'notes');
      expect((await open(good, { roots: [{ ...roots[0]!, seen }] })).manifest.product).toBe('shop');
    });
  });

  test('nothing is parsed before the signature is good', async () => {
    const path = await write(
      target.folder.file('hostile.tar'),
      putTogether(replace(good, 'SHA256SUMS', { data: Buffer.from('not sums') })),
    );
    await expect(openBundle(path, { authorize })).rejects.toMatchObject({ code: 'SIGNATURE_INVALID' });
  });

  test('no file, a directory', async () => {
    await expect(openBundle(target.folder.file('none.tar'), { authorize })).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
    await expect(openBundle(target.folder.path, { authorize })).rejects.toMatchObject({ code: 'BUNDLE_UNREADABLE' });
  });

  test('an aborted signal ends it', async () => {
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(openBundle(target.folder.file('good.tar'), { authorize, signal })).rejects.toThrow('enough');
  });
});
