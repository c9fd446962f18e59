import { open } from 'node:fs/promises';
import type { KeyObject } from 'node:crypto';
import { digestOf, type Digest } from '../digest.ts';
import { AirdockError } from '../errors.ts';
import { readFront } from './entries.ts';
import { readRelease } from './reader.ts';
import { encodeSlot, signerOf, verifySums, type Signer } from './signature.ts';
import { Source } from './source.ts';
import { assertMaySign, parseTrust } from './trust.ts';
import { readAll } from './verify.ts';

export type SignOptions = {
  /** Returns the DER signature over the SHA-256 of the bytes. */
  sign: (sumsBytes: Buffer) => Buffer;
  publicKey: KeyObject;
  signal?: AbortSignal | undefined;
  onProgress?: ((bytes: number, total: number) => void) | undefined;
};

/**
 * Signs a bundle in place: 512 bytes change (docs/FORMAT.md section 3). The whole bundle is verified first, because the
 * signature states that its content matches `SHA256SUMS`. The signature is verified too, because an HSM may have made it.
 * @throws KEY_NOT_TRUSTED for a key that the bundle's `trust.json` does not have
 */
export async function signBundle(path: string, { sign, publicKey, signal, onProgress }: SignOptions): Promise<Signer> {
  const source = await Source.open(path);
  try {
    const front = await readFront(source);
    const release = await readRelease(source, front, signal);
    if (front.trustBytes) assertMaySign(parseTrust(front.trustBytes), release.manifest.product, signerOf(publicKey));
    for await (const { code, text } of readAll(release, onProgress)) {
      throw new AirdockError(code, `${text}; it was not signed`);
    }
    const signature = sign(front.sumsBytes);
    if (!verifySums(front.sumsBytes, signature, publicKey)) {
      throw new AirdockError(
        'SIGNATURE_INVALID',
        'the signature is not a signature of this bundle by that key; nothing was changed',
        {
          hint: 'Sign the digest that airdock sign --external prints, without hashing it again, with ECDSA P-256, DER-encoded.',
        },
      );
    }
    await writeSlot(path, front.slot.offset, encodeSlot(signature));
    return signerOf(publicKey);
  } finally {
    await source.close();
  }
}

/** The digest that an HSM or a KMS signs: the SHA-256 of `SHA256SUMS`. */
export async function digestToSign(path: string): Promise<Digest> {
  const source = await Source.open(path);
  try {
    return digestOf((await readFront(source)).sumsBytes);
  } finally {
    await source.close();
  }
}

async function writeSlot(path: string, offset: number, slot: Buffer): Promise<void> {
  const handle = await open(path, 'r+').catch((cause: unknown) => {
    throw new AirdockError('USAGE', `${path} cannot be written to`, { cause });
  });
  try {
    await handle.write(slot, 0, slot.length, offset);
    await handle.sync();
  } finally {
    await handle.close();
  }
}
