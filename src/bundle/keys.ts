import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { AirdockError } from '../errors.ts';

/** ECDSA P-256 keys (docs/FORMAT.md section 3), a kind of key that openssl, KMS and HSM all support. */

export type KeyPair = { privatePem: string; publicPem: string; fingerprint: string };

/** An encrypted PKCS#8 private key and its SubjectPublicKeyInfo, both PEM. */
export function generateKeys(passphrase: string): KeyPair {
  const { privateKey, publicKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    privateKeyEncoding: { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  return { privatePem: privateKey, publicPem: publicKey, fingerprint: fingerprintOf(readPublicKey(publicKey)) };
}

/** `SHA256:` and unpadded base64, as ssh-keygen prints fingerprints; of the SubjectPublicKeyInfo DER. */
export function fingerprintOf(publicKey: KeyObject): string {
  const der = publicKey.export({ type: 'spki', format: 'der' });
  return `SHA256:${createHash('sha256').update(der).digest('base64').replace(/=+$/, '')}`;
}

export function needsPassphrase(privatePem: string): boolean {
  return privatePem.includes('-----BEGIN ENCRYPTED PRIVATE KEY-----') || privatePem.includes('Proc-Type: 4,ENCRYPTED');
}

/** @throws KEY_UNREADABLE */
export function readPrivateKey(pem: string, passphrase?: string): KeyObject {
  try {
    return onlyP256(createPrivateKey({ key: pem, format: 'pem', passphrase }));
  } catch (cause) {
    if (cause instanceof AirdockError) throw cause;
    const hint = needsPassphrase(pem)
      ? 'Check its password: AIRDOCK_KEY_PASSWORD or --key-password-file.'
      : 'Give the PEM private key that airdock keygen wrote.';
    throw new AirdockError('KEY_UNREADABLE', 'the signing key cannot be read', { hint, cause });
  }
}

/** Reads a PEM public key. @throws KEY_UNREADABLE, also for a private key or a certificate, so that nobody hands those out instead */
export function readPublicKey(pem: string): KeyObject {
  const hint = 'Give the PEM public key (release.pub) that airdock keygen wrote.';
  if (!/^\s*-----BEGIN PUBLIC KEY-----/.test(pem)) {
    throw new AirdockError('KEY_UNREADABLE', 'this is not a PEM public key', { hint });
  }
  try {
    return onlyP256(createPublicKey({ key: pem, format: 'pem' }));
  } catch (cause) {
    if (cause instanceof AirdockError) throw cause;
    throw new AirdockError('KEY_UNREADABLE', 'the public key cannot be read', { hint, cause });
  }
}

function onlyP256(key: KeyObject): KeyObject {
  if (key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1') return key;
  const kind = [key.asymmetricKeyType, key.asymmetricKeyDetails?.namedCurve].filter(Boolean).join(' ');
  throw new AirdockError('KEY_UNREADABLE', `the key is ${kind}; airdock signs with ECDSA P-256 only (FORMAT.md 3)`, {
    hint: 'Make a key with airdock keygen.',
  });
}
