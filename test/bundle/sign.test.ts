import { createPublicKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readPublicKey } from '../../src/bundle/keys.ts';
import { digestToSign, signBundle } from '../../src/bundle/sign.ts';
import { authorizeBy } from '../../src/bundle/authorize.ts';
import { verifyBundle } from '../../src/bundle/verify.ts';
import { digestOf } from '../../src/digest.ts';
import { otherKey, temporaryFolder, testKey, writeTestBundle } from '../helpers/bundle.ts';
import { dataOf, putTogether, replace, takeApart, write } from '../helpers/forge.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => folder[Symbol.asyncDispose]());
const key = { sign: testKey.sign, publicKey: readPublicKey(testKey.publicPem) };

describe('signing in place', () => {
  test('changes the 512 bytes of the slot, of an unsigned and of a signed bundle', async () => {
    const path = folder.file('bundle.tar');
    await writeTestBundle(path, { sign: 'unsigned' });
    const before = await readFile(path);
    expect(await signBundle(path, key)).toEqual({ fingerprint: testKey.fingerprint, pem: testKey.publicPem });
    const after = await readFile(path);
    expect((await verifyBundle(path, { authorize: authorizeBy({ keys: [testKey.publicPem] }) })).ok).toBe(true);
    const slot = before.indexOf('SHA256SUMS.sig') + 512;
    after.copy(before, slot, slot, slot + 512);
    expect(after.equals(before)).toBe(true);

    await signBundle(path, { sign: otherKey.sign, publicKey: createPublicKey(otherKey.publicPem) });
    expect((await verifyBundle(path, { authorize: authorizeBy({ keys: [otherKey.publicPem] }) })).ok).toBe(true);
  });

  test('gives the digest of SHA256SUMS for an HSM', async () => {
    const path = folder.file('hsm.tar');
    await writeTestBundle(path, { sign: 'unsigned' });
    expect(await digestToSign(path)).toBe(digestOf(dataOf(await takeApart(path), 'SHA256SUMS')));
  });

  test('a damaged bundle is not signed', async () => {
    const path = folder.file('damaged.tar');
    await writeTestBundle(path, { sign: 'unsigned' });
    const entries = await takeApart(path);
    const last = entries.at(-1)?.name ?? '';
    const bytes = putTogether(replace(entries, last, { data: Buffer.alloc(dataOf(entries, last).length) }));
    await write(path, bytes);
    await expect(signBundle(path, key)).rejects.toMatchObject({ code: 'BUNDLE_DIGEST_MISMATCH' });
    expect((await readFile(path)).equals(bytes)).toBe(true);
  });

  test('a signature that is not one of this key is not put in', async () => {
    const path = folder.file('wrong.tar');
    await writeTestBundle(path, { sign: 'unsigned' });
    const before = await readFile(path);
    await expect(signBundle(path, { ...key, sign: otherKey.sign })).rejects.toMatchObject({ code: 'SIGNATURE_INVALID' });
    expect((await readFile(path)).equals(before)).toBe(true);
  });
});
