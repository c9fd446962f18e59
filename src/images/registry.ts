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

  async *blob(name: ImageName, wanted: { digest: Digest; size: number }, options: BlobOptions = {}): AsyncIterable<Buffer> {
    const host = endpointOf(name, this.#options).base.host;
    const what = `blob ${wanted.digest} of ${name.canonical}`;
    let position = options.offset ?? 0;
    for (let attempt = 1; position < wanted.size; attempt += 1) {
      const before = position;
      try {
        for await (const chunk of this.#blobFrom(name, wanted, position, what, options.signal)) {
          position += chunk.length;
          yield chunk;
          release(chunk);
        }
        if (position < wanted.size) throw new Error('the connection ended early');
      } catch (error) {
        if (isAirdockError(error) || options.signal?.aborted) throw interrupted(error, options.signal);
        if (position > before) attempt = 1;
        if (attempt >= this.#retry.attempts) {
          throw networkError(error, host, `${what}, tried ${attempt} times`, `${position} of ${wanted.size} bytes`);
        }
        this.#options.onRetry?.(`${host} dropped ${what} at ${position} of ${wanted.size} bytes, going on from there`);
        await this.#retry.sleep(pauseAfter(this.#retry, attempt), options.signal);
      }
    }
  }

  async *#blobFrom(
    name: ImageName,
    wanted: { digest: Digest; size: number },
    from: number,
    what: string,
    signal?: AbortSignal,
  ): AsyncIterable<Buffer> {
    const response = await this.#client.ask({
      name,
      path: `blobs/${wanted.digest}`,
      what,
      ...(from > 0 ? { headers: { range: `bytes=${from}-` } } : {}),
      signal,
    });
    const protocol = (why: string) =>
      new AirdockError('REGISTRY_PROTOCOL', `${this.label(name)}: ${what}: ${why}`, {
        hint: 'The registry, or a proxy before it, gave something else than was asked for. Run with --cache-dir on an empty directory if it stays.',
      });
    try {
      // RFC 9110 section 14.2: a server may ignore Range and send all
      let skip = response.status === 206 ? 0 : from;
      const range = /^bytes (\d+)-/.exec(response.headers['content-range'] ?? '')?.[1];
      if (response.status === 206 && range !== undefined && Number(range) !== from)
        throw protocol(`bytes from ${range}, not ${from}`);
      let left = wanted.size - from;
      for await (const chunk of response.body as AsyncIterable<Buffer>) {
        const part = skip > 0 ? chunk.subarray(skip) : chunk;
        skip = Math.max(0, skip - chunk.length);
        left -= part.length;
        if (left < 0) throw protocol(`more than the ${wanted.size} bytes that the manifest says`);
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
          hint: 'That is no image manifest.',
        });
      }
      const said = response.headers['docker-content-digest'];
      if (typeof said === 'string' && isDigest(said)) expectDigest(bytes, said, `${this.label(name)}, ${what}`);
      return { bytes, digest: digestOf(bytes), mediaType: response.headers['content-type'] ?? '' };
    }
  }
}

/**
 * The consumer has asked for the next chunk, so this one's memory is given back now. Waiting for the garbage collector
 * costs 80 MiB: it does not see how much lies behind each little Buffer object.
 */
function release(chunk: Buffer): void {
  const { buffer } = chunk;
  // a part of something larger (Node's pool, a chunk that was cut) is not ours to give back
  if (buffer instanceof ArrayBuffer && chunk.byteLength === buffer.byteLength && !buffer.detached) buffer.transfer(0);
}
