// An HSM signs a bundle of 2 GiB where it lies: 512 bytes change, and nothing is written anew.
import { execFileSync } from 'node:child_process';
import { open, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { canonicalJson } from '../../src/bundle/canonical.ts';
import { derivedFiles } from '../../src/bundle/layout.ts';
import type { BundleManifest } from '../../src/bundle/manifest.ts';
import { blobName } from '../../src/bundle/names.ts';
import { formatSums } from '../../src/bundle/sums.ts';
import { archiveEnd, encodeHeader } from '../../src/bundle/tar.ts';
import { digestOf, type Digest } from '../../src/digest.ts';
import { makeImage, passphrase, temporaryFolder, testKey, writeTestBundle } from '../helpers/bundle.ts';
import { airdock } from '../helpers/cli.ts';
import { dataOf, mtime, putTogether, replace, takeApart, type RawEntry } from '../helpers/forge.ts';

const size = 2 * 2 ** 30;
/** Of that many zeros. */
const zeros: Digest = 'sha256:a7c744c13cc101ed66c29f672f92455547889cc586ce6d44fe76ae824958ea51' as Digest;

test('in place', { timeout: 300_000 }, async () => {
  await using folder = await temporaryFolder();
  const path = folder.file('large.tar');
  await writeSparse(path);
  const before = await stat(path);
  expect(before.size).toBeGreaterThan(size);
  const cli = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await airdock(args, { cwd: folder.path });
    expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
    return stdout.trim();
  };
  const front = await firstBytes(path);
  await writeFile(folder.file('digest'), Buffer.from(await cli('sign', 'large.tar', '--external'), 'hex'));
  await writeFile(folder.file('release.key'), testKey.privatePem);
  await writeFile(folder.file('release.pub'), testKey.publicPem);
  const hsm = ['pkeyutl', '-sign', '-inkey', 'release.key', '-passin', `pass:${passphrase}`, '-in', 'digest', '-out', 'sig.der'];
  execFileSync('openssl', hsm, { cwd: folder.path });
  expect(await cli('sign', 'large.tar', '--external', '--signature', 'sig.der', '--trust', 'release.pub')).toContain('signed by');
  const after = await stat(path);
  expect({ ino: after.ino, size: after.size }).toEqual({ ino: before.ino, size: before.size });
  expect(after.blocks * 512).toBeLessThan(2 ** 20); // nearly all of it is a hole still
  const signed = await firstBytes(path);
  const slot = front.indexOf('SHA256SUMS.sig') + 512;
  expect(
    signed
      .subarray(slot, slot + 512)
      .toString()
      .trim(),
  ).toBe((await readFile(folder.file('sig.der'))).toString('base64'));
  expect(
    Buffer.concat([signed.subarray(0, slot), signed.subarray(slot + 512)]).equals(
      Buffer.concat([front.subarray(0, slot), front.subarray(slot + 512)]),
    ),
  ).toBe(true);
  expect(await cli('inspect', 'large.tar', '--trust', 'release.pub')).toContain(testKey.fingerprint);
});

/** Unsigned, of one image; its last entry is its layer, of zeros that are not written. */
async function writeSparse(path: string): Promise<void> {
  await writeTestBundle(path, { images: [makeImage('ghcr.io/example/shop-api:0.3.0', ['x'])], sign: 'unsigned' });
  const entries = await takeApart(path);
  const manifest = JSON.parse(dataOf(entries, 'bundle.json').toString()) as BundleManifest;
  const image = manifest.images[0]!;
  const layer = { ...image.layers[0]!, digest: zeros, size };
  const document = dataOf(entries, blobName(image.manifestDigest)).toString();
  const { digest: oldDigest, size: oldSize } = image.layers[0]!;
  const text = Buffer.from(
    document.replace(oldDigest, zeros).replace(`"size":${oldSize},"digest":"${zeros}"`, `"size":${size},"digest":"${zeros}"`),
  );
  const record = { ...image, layers: [layer], manifestDigest: digestOf(text), manifestSize: text.length };
  const small = entries.slice(0, -1).map((entry): RawEntry => {
    if (entry.name === 'bundle.json') return { ...entry, data: canonicalJson({ ...manifest, images: [record] }) };
    if (entry.name === blobName(image.manifestDigest)) return { name: blobName(record.manifestDigest), data: text };
    return { ...entry, data: derivedFiles([record]).get(entry.name) ?? entry.data };
  });
  const listed = small
    .filter(({ name }) => !name.startsWith('SHA256SUMS'))
    .map(({ name, data }) => [name, digestOf(data)] as const);
  const sums = formatSums(new Map([...listed, [blobName(zeros), zeros]]));
  const front = putTogether(replace(small, 'SHA256SUMS', { data: sums }), encodeHeader({ name: blobName(zeros), size, mtime }));
  await writeFile(path, front);
  await truncate(path, front.length + size + archiveEnd.length);
}

async function firstBytes(path: string): Promise<Buffer> {
  const handle = await open(path);
  try {
    return (await handle.read(Buffer.alloc(2 ** 15), 0, 2 ** 15, 0)).buffer;
  } finally {
    await handle.close();
  }
}
