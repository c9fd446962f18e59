import { createHash, type Hash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { Transform } from 'node:stream';
import { AirdockError, type ErrorCode } from './errors.ts';

declare const digestBrand: unique symbol;

/** `sha256:` and 64 lowercase hex digits (OCI image-spec, descriptor.md "Digests"). `parseDigest` is the only way in. */
export type Digest = `sha256:${string}` & { readonly [digestBrand]: true };

const pattern = /^sha256:[0-9a-f]{64}$/;

export function isDigest(text: string): text is Digest {
  return pattern.test(text);
}

/** @throws AirdockError with `code` when the text is not a sha256 digest */
export function parseDigest(text: string, code: ErrorCode = 'BUNDLE_MANIFEST_INVALID'): Digest {
  if (!isDigest(text)) throw new AirdockError(code, `${JSON.stringify(text.slice(0, 100))} is not a sha256 digest`);
  return text;
}

/** The 64 hex digits after `sha256:`. */
export function hexOf(digest: Digest): string {
  return digest.slice(7);
}

/** A digest shortened for messages: `sha256:94f19a57ffbb`. */
export function shortDigest(digest: Digest): string {
  return digest.slice(0, 19);
}

export function digestOf(bytes: Uint8Array | string): Digest {
  return finish(createHash('sha256').update(bytes));
}

export function finish(hash: Hash): Digest {
  return `sha256:${hash.digest('hex')}` as Digest;
}

/** The digest of a whole file, which is read once. */
export async function fileDigest(path: string): Promise<Digest> {
  const handle = await open(path, 'r');
  try {
    const hash = createHash('sha256');
    const buffer = Buffer.allocUnsafeSlow(1 << 20);
    for (let size = buffer.length; size > 0;) {
      ({ bytesRead: size } = await handle.read(buffer, 0, buffer.length));
      hash.update(buffer.subarray(0, size));
    }
    return finish(hash);
  } finally {
    await handle.close();
  }
}

/** Passes bytes on and knows their digest and count once the stream has ended. */
export class DigestStream extends Transform {
  readonly #hash = createHash('sha256');
  bytes = 0;

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: (error: null, chunk: Buffer) => void): void {
    this.#hash.update(chunk);
    this.bytes += chunk.length;
    done(null, chunk);
  }

  /** Call once, after the end. */
  digest(): Digest {
    return finish(this.#hash);
  }
}
