import { digestOf, isDigest, type Digest } from '../digest.ts';
import { AirdockError, isAirdockError } from '../errors.ts';
import { expectDigest, type ManifestBytes } from './manifest.ts';
import { acceptedManifests } from './media-types.ts';
import type { ImageName } from './reference.ts';
import { RegistryClient, type RegistryOptions } from './registry-client.ts';
import { endpointOf } from './registry-endpoint.ts';
import { interrupted, networkError } from './registry-errors.ts';
import { patient, pauseAfter, type RetryPolicy } from './retry.ts';
import type { BlobOptions, ImageSource } from './source.ts';
import { readBody } from './transport.ts';

// distribution-spec "Pushing Manifests": registries may refuse more than 4 MiB
const manifestLimit = 4 << 20;

/** A registry by the OCI distribution protocol. No Docker is needed. */
export class Registry implements ImageSource {
  readonly origin = 'registry';
  readonly #options: RegistryOptions;
  readonly #retry: RetryPolicy;
  readonly #client: RegistryClient;

  constructor(options: RegistryOptions) {
    this.#options = options;
    this.#retry = options.retry ?? patient;
    this.#client = new RegistryClient(options);
  }

  label(name: ImageName): string {
    const { base } = endpointOf(name, this.#options);
    const mirror = this.#options.mirrors?.has(name.registry) ? ` (read from ${base.host})` : '';
    return `registry ${name.registry}${mirror}`;
  }

  async resolve(name: ImageName, signal?: AbortSignal): Promise<ManifestBytes> {
    const found = await this.#manifest(name, name.digest ?? name.tag ?? 'latest', signal);
    if (name.digest !== undefined) expectDigest(found.bytes, name.digest, `${this.label(name)}, manifest of ${name.canonical}`);
    return found;
  }

  async manifest(name: ImageName, digest: Digest, signal?: AbortSignal): Promise<ManifestBytes> {
    const found = await this.#manifest(name, digest, signal);
    expectDigest(found.bytes, digest, `${this.label(name)}, manifest ${digest} of ${name.canonical}`);
    return found;
  }

  async *blob(name: ImageName, expected: { digest: Digest; size: number }, options: BlobOptions = {}): AsyncIterable<Buffer> {
    const host = endpointOf(name, this.#options).base.host;
    const what = `blob ${expected.digest} of ${name.canonical}`;
    let position = options.offset ?? 0;
    for (let attempt = 1; position < expected.size; attempt += 1) {
      const before = position;
      try {
        for await (const chunk of this.#blobFrom(name, expected, position, what, options.signal)) {
          position += chunk.length;
          yield chunk;
          release(chunk);
        }
        if (position < expected.size) throw new Error('the connection ended early');
      } catch (error) {
        if (isAirdockError(error) || options.signal?.aborted) throw interrupted(error, options.signal);
        if (position > before) attempt = 1;
        if (attempt >= this.#retry.attempts) {
          throw networkError(error, host, `${what}, tried ${attempt} times`, `${position} of ${expected.size} bytes`);
        }
        this.#options.onRetry?.(`${host} dropped ${what} at ${position} of ${expected.size} bytes, continuing there`);
        await this.#retry.sleep(pauseAfter(this.#retry, attempt), options.signal);
      }
    }
  }

  async *#blobFrom(
    name: ImageName,
    expected: { digest: Digest; size: number },
    from: number,
    what: string,
    signal?: AbortSignal,
  ): AsyncIterable<Buffer> {
    const response = await this.#client.ask({
      name,
      path: `blobs/${expected.digest}`,
      what,
      headers: from > 0 ? { range: `bytes=${from}-` } : {},
      signal,
    });
    const protocol = (why: string) =>
      new AirdockError('REGISTRY_PROTOCOL', `${this.label(name)}: ${what}: ${why}`, {
        hint: 'The registry, or a proxy in front of it, returned wrong content. If the error comes back, use --cache-dir with an empty directory.',
      });
    try {
      // RFC 9110 section 14.2: a server may ignore Range and send all
      let skip = response.status === 206 ? 0 : from;
      const range = /^bytes (\d+)-/.exec(response.headers['content-range'] ?? '')?.[1];
      if (response.status === 206 && range !== undefined && Number(range) !== from)
        throw protocol(`bytes from ${range}, not ${from}`);
      let left = expected.size - from;
      for await (const chunk of response.body as AsyncIterable<Buffer>) {
        const part = skip > 0 ? chunk.subarray(skip) : chunk;
        skip = Math.max(0, skip - chunk.length);
        left -= part.length;
        if (left < 0) throw protocol(`more than the ${expected.size} bytes in the manifest`);
        if (part.length > 0) yield part;
      }
    } finally {
      response.body.destroy();
    }
  }

  async #manifest(name: ImageName, reference: string, signal?: AbortSignal): Promise<ManifestBytes> {
    const what = `the manifest of ${name.canonical}${reference === name.tag || name.digest === reference ? '' : ` (${reference})`}`;
    const host = endpointOf(name, this.#options).base.host;
    for (let attempt = 1; ; attempt += 1) {
      const response = await this.#client.ask({
        name,
        path: `manifests/${reference}`,
        what,
        headers: { accept: acceptedManifests },
        signal,
      });
      let bytes: Buffer | undefined;
      try {
        bytes = await readBody(response.body as AsyncIterable<Buffer>, manifestLimit);
      } catch (error) {
        if (signal?.aborted) throw interrupted(error, signal);
        if (attempt >= this.#retry.attempts) throw networkError(error, host, `${what}, tried ${attempt} times`);
        await this.#retry.sleep(pauseAfter(this.#retry, attempt), signal);
        continue;
      }
      if (bytes === undefined) {
        throw new AirdockError('REGISTRY_PROTOCOL', `${this.label(name)}: ${what} is larger than ${manifestLimit} bytes`, {
          hint: 'This is not an image manifest.',
        });
      }
      const reported = response.headers['docker-content-digest'];
      if (typeof reported === 'string' && isDigest(reported)) expectDigest(bytes, reported, `${this.label(name)}, ${what}`);
      return { bytes, digest: digestOf(bytes), mediaType: response.headers['content-type'] ?? '' };
    }
  }
}

/**
 * Frees the memory of a chunk, when the consumer has asked for the next one. Waiting for the garbage collector costs
 * 80 MiB, because it does not see how much memory each small Buffer object holds.
 */
function release(chunk: Buffer): void {
  const { buffer } = chunk;
  // a part of a larger buffer (Node's pool, a chunk that was cut) must not be freed
  if (buffer instanceof ArrayBuffer && chunk.byteLength === buffer.byteLength && !buffer.detached) buffer.transfer(0);
}
