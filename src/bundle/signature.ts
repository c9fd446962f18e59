import { createPublicKey, sign, verify, type KeyObject } from 'node:crypto';
import { AirdockError } from '../errors.ts';
import { fingerprintOf } from './keys.ts';

/** `SHA256SUMS.sig` (docs/FORMAT.md section 3): ECDSA P-256 with SHA-256 over the bytes of `SHA256SUMS`. */

export const slotSize = 512;

export type Signer = { fingerprint: string; /** The public key. */ pem: string };

/** A function that signs with a private key and returns DER. */
export function signWith(privateKey: KeyObject): (sumsBytes: Buffer) => Buffer {
  return (sumsBytes) => sign('sha256', sumsBytes, { key: privateKey, dsaEncoding: 'der' });
}

export function verifySums(sumsBytes: Buffer, signature: Buffer, publicKey: KeyObject): boolean {
  return verify('sha256', sumsBytes, { key: publicKey, dsaEncoding: 'der' }, signature);
}

/** The fingerprint and the public key of a public or a private key. */
export function signerOf(key: KeyObject): Signer {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  return { fingerprint: fingerprintOf(publicKey), pem: publicKey.export({ type: 'spki', format: 'pem' }) };
}

export const unsignedSlot = Buffer.alloc(slotSize, '\n');

/** Encodes a DER signature as the 512 bytes of `SHA256SUMS.sig`. */
export function encodeSlot(signature: Buffer): Buffer {
  const text = signature.toString('base64');
  if (signature.length === 0 || text.length >= slotSize) {
    throw new AirdockError('SIGNATURE_MALFORMED', 'this is not a DER-encoded ECDSA P-256 signature');
  }
  const slot = Buffer.from(unsignedSlot);
  slot.write(text, 'latin1');
  return slot;
}

/** @throws SIGNATURE_MALFORMED */
export function decodeSlot(slot: Buffer): Buffer {
  if (slot.equals(unsignedSlot)) {
    throw new AirdockError('SIGNATURE_MALFORMED', 'this bundle is not signed yet', {
      hint: 'Sign it where it was built: airdock sign BUNDLE --key release.key.',
    });
  }
  const [, text] = /^([A-Za-z0-9+/]+={0,2})\n+$/.exec(slot.toString('latin1')) ?? [];
  const signature = Buffer.from(text ?? '', 'base64');
  if (slot.length !== slotSize || text === undefined || signature.toString('base64') !== text) {
    throw new AirdockError('SIGNATURE_MALFORMED', 'SHA256SUMS.sig is not one line of base64 in 512 bytes (FORMAT.md 3)');
  }
  return signature;
}
