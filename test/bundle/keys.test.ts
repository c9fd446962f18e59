import { execFileSync } from 'node:child_process';
import { createHash, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { fingerprintOf, generateKeys, needsPassphrase, readPrivateKey, readPublicKey } from '../../src/bundle/keys.ts';

const unreadable = expect.objectContaining({ code: 'KEY_UNREADABLE' });
const pair = generateKeys('secret');
const pem = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' });

describe('FORMAT.md 3, keys', () => {
  test('the private key is encrypted PKCS#8 and needs its password', () => {
    expect(pair.privatePem).toMatch(/^-----BEGIN ENCRYPTED PRIVATE KEY-----/);
    expect(needsPassphrase(pair.privatePem)).toBe(true);
    expect(fingerprintOf(createPublicKey(readPrivateKey(pair.privatePem, 'secret')))).toBe(pair.fingerprint);
    expect(() => readPrivateKey(pair.privatePem, 'wrong')).toThrow(unreadable);
    expect(() => readPrivateKey(pair.privatePem)).toThrow(unreadable);
    expect(() => readPrivateKey('not a key')).toThrow(unreadable);
  });

  test('an unencrypted key, as CI may give it, is taken', () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const text = privateKey.export({ type: 'pkcs8', format: 'pem' });
    expect(needsPassphrase(text)).toBe(false);
    expect(readPrivateKey(text).equals(privateKey)).toBe(true);
  });

  test('the fingerprint is the one that openssl and base64 make', () => {
    const der = execFileSync('openssl', ['pkey', '-pubin', '-outform', 'DER'], { input: pair.publicPem });
    const print = createHash('sha256').update(der).digest('base64').replaceAll('=', '');
    expect(pair.fingerprint).toBe(`SHA256:${print}`);
  });

  test('other kinds of keys are refused', () => {
    const others = [
      generateKeyPairSync('ec', { namedCurve: 'P-384' }),
      generateKeyPairSync('ec', { namedCurve: 'secp256k1' }),
      generateKeyPairSync('ed25519'),
      generateKeyPairSync('rsa', { modulusLength: 2048 }),
    ];
    for (const { publicKey, privateKey } of others) {
      expect(() => readPublicKey(pem(publicKey))).toThrow(unreadable);
      expect(() => readPrivateKey(privateKey.export({ type: 'pkcs8', format: 'pem' }))).toThrow(unreadable);
    }
  });

  test('a private key or a certificate is not taken for a public key', () => {
    expect(() => readPublicKey(pair.privatePem)).toThrow(unreadable);
    expect(() => readPublicKey(pair.publicPem.replaceAll('PUBLIC KEY', 'CERTIFICATE'))).toThrow(unreadable);
    expect(() => readPublicKey('-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n')).toThrow(unreadable);
  });
});
