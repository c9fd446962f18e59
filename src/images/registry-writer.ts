import type { Digest } from '../digest.ts';
import { AirdockError, isAirdockError } from '../errors.ts';
import type { ImageName } from './reference.ts';
import { bodyOf, passingStatuses, RegistryClient, type RegistryOptions } from './registry-client.ts';
import { endpointOf } from './registry-endpoint.ts';
import { interrupted, networkError } from './registry-errors.ts';
import { patient, pauseAfter, type RetryPolicy } from './retry.ts';
import type { HttpResponse } from './transport.ts';

/** A blob to send. */
export type SentBlob = {
  digest: Digest;
  size: number;
  /** Reads `length` bytes from `from` on, unchecked: the registry accepts a blob only with the right digest. */
  read: (from: number, length: number) => AsyncIterable<Buffer>;
};

/** The state of an upload: where to send the next byte, and its position. */
type Position = { at: URL; offset: number };

/** Larger blobs are sent in parts, because proxies in front of registries limit the size of a request. */
const partSize = 64 << 20;
/** An attempt that sent this many bytes shows that the connection works, so the count of attempts starts again. */
const progress = 256 << 10;
/** Limit of attempts for one blob that keeps making progress, as a multiple of the usual limit. */
const patience = 10;
const octets = 'application/octet-stream';

/** Writes to a registry by the OCI distribution protocol ("Push"). No Docker is needed. */
export class RegistryWriter {
  readonly #options: RegistryOptions;
  readonly #retry: RetryPolicy;
  readonly #client: RegistryClient;

  constructor(options: RegistryOptions & { writes: readonly string[] }) {
    this.#options = options;
    this.#retry = options.retry ?? patient;
    this.#client = new RegistryClient(options);
  }

  /** The digest of a manifest in the registry; undefined when it is missing or not reported (Docker-Content-Digest is optional). */
  async manifestDigest(name: ImageName, reference: string, accept: string, signal?: AbortSignal): Promise<string | undefined> {
    const response = await this.#head(name, `manifests/${reference}`, `the manifest of ${name.canonical}`, signal, { accept });
    const digest = response.headers['docker-content-digest'];
    return response.status === 200 && typeof digest === 'string' ? digest : undefined;
  }

  async hasBlob(name: ImageName, digest: Digest, signal?: AbortSignal): Promise<boolean> {
    return (await this.#head(name, `blobs/${digest}`, blobText(name, digest), signal)).status === 200;
  }

  /** Pushes a manifest. @throws REGISTRY_PROTOCOL when the registry stored it under another digest */
  async putManifest(name: ImageName, manifest: { bytes: Buffer; digest: Digest; mediaType: string }, signal?: AbortSignal) {
    const what = `the manifest of ${name.canonical}`;
    const response = await this.#client.ask({
      name,
      method: 'PUT',
      path: `manifests/${name.tag ?? manifest.digest}`,
      headers: { 'content-type': manifest.mediaType, 'content-length': String(manifest.bytes.length) },
      body: manifest.bytes,
      accept: [201],
      what,
      signal,
    });
    await bodyOf(response);
    const stored = response.headers['docker-content-digest'];
    if (typeof stored === 'string' && stored !== manifest.digest)
      throw new AirdockError('REGISTRY_PROTOCOL', `${this.#host(name)} keeps ${what} as ${stored}, not as ${manifest.digest}`, {
        hint: 'The registry changes what is pushed to it. References by digest would not work.',
      });
  }

  /**
   * Mounts a blob of another repository into this one.
   * @returns the upload URL when the registry did not mount it
   */
  async mount(name: ImageName, digest: Digest, from: string, signal?: AbortSignal): Promise<URL | undefined> {
    const response = await this.#begin(name, `?mount=${digest}&from=${encodeURIComponent(from)}`, digest, signal);
    return response.status === 201 ? undefined : this.#next(name, response, blobText(name, digest));
  }

  /**
   * Sends a blob, in parts when it is large. An interrupted upload continues at the position that the registry reports
   * (distribution-spec "Pushing a blob in chunks"). docker-registry 2.8 cannot continue after it lost part of a request
   * (`upload resumed at wrong offest`), so there the upload starts again.
   * @param at the upload URL that `mount` returned
   */
  async send(
    name: ImageName,
    blob: SentBlob,
    { at, signal }: { at?: URL | undefined; signal?: AbortSignal } = {},
  ): Promise<void> {
    const what = blobText(name, blob.digest);
    let upload: Position | undefined = at && { at, offset: 0 };
    let sent = 0;
    const counted: SentBlob = { ...blob, read: (from, length) => counting(blob.read(from, length), (bytes) => (sent += bytes)) };
    for (let attempt = 1, tries = 1; ; attempt += 1, tries += 1) {
      sent = 0;
      try {
        if (tries > 1 && upload) upload = await this.#position(name, upload.at, what, signal);
        upload ??= { at: await this.#location(name, blob.digest, signal), offset: 0 };
        for (let next: Position | undefined = upload; next; next = await this.#part(name, counted, next, what, signal))
          upload = next;
        return;
      } catch (error) {
        if (signal?.aborted || !this.#mayPass(error)) throw interrupted(error, signal);
        if (sent >= Math.min(progress, blob.size / 2)) attempt = 1;
        if (attempt >= this.#retry.attempts || tries >= patience * this.#retry.attempts)
          throw this.#gaveUp(error, name, `${what}, tried ${tries} times`, blob);
        this.#options.onRetry?.(`${this.#host(name)} did not receive all of ${what}; trying again`);
        await this.#retry.sleep(retryAfterMs(error) ?? pauseAfter(this.#retry, attempt), signal);
      }
    }
  }

  /** Sends one part. @returns where to continue, undefined after the last part */
  async #part(
    name: ImageName,
    blob: SentBlob,
    { at, offset }: Position,
    what: string,
    signal?: AbortSignal,
  ): Promise<Position | undefined> {
    const size = Math.min(partSize, blob.size - offset);
    const last = offset + size === blob.size;
    const url = new URL(at);
    if (last) url.searchParams.set('digest', blob.digest);
    const response = await this.#client.ask({
      name,
      method: last ? 'PUT' : 'PATCH',
      path: url,
      headers: { 'content-type': octets, ...(offset === 0 && last ? {} : { 'content-range': `${offset}-${offset + size - 1}` }) },
      body: { size, open: () => blob.read(offset, size) },
      accept: last ? [201] : [202],
      once: true,
      what,
      signal,
    });
    await bodyOf(response);
    return last ? undefined : { at: this.#next(name, response, what), offset: offset + size };
  }

  /** Where an upload continues; undefined when the registry has forgotten it or does not report its position. */
  async #position(name: ImageName, at: URL, what: string, signal?: AbortSignal): Promise<Position | undefined> {
    const response = await this.#client.ask({ name, path: at, accept: [204, 200, 202, 400, 404, 405], what, signal });
    await bodyOf(response);
    const end = Number(/^(?:bytes=)?0-(\d+)$/.exec(response.headers.range ?? '')?.[1] ?? 0);
    // `0-0` is the answer for one byte and for none
    return response.status < 300 && end > 0 ? { at: this.#next(name, response, what, at), offset: end + 1 } : undefined;
  }

  async #location(name: ImageName, digest: Digest, signal?: AbortSignal): Promise<URL> {
    return this.#next(name, await this.#begin(name, '', digest, signal), blobText(name, digest));
  }

  async #begin(name: ImageName, query: string, digest: Digest, signal?: AbortSignal): Promise<HttpResponse> {
    const response = await this.#client.ask({
      name,
      method: 'POST',
      path: `blobs/uploads/${query}`,
      headers: { 'content-length': '0' },
      accept: query === '' ? [202] : [201, 202],
      what: blobText(name, digest),
      signal,
    });
    await bodyOf(response);
    return response;
  }

  #next(name: ImageName, { headers }: HttpResponse, what: string, before?: URL): URL {
    const { base } = endpointOf(name, this.#options);
    const location = headers.location;
    if (location === undefined && before) return before;
    if (location !== undefined && URL.canParse(location, base)) {
      const next = new URL(location, base);
      if (next.protocol === 'https:' || (next.protocol === 'http:' && base.protocol === 'http:')) return next;
    }
    throw new AirdockError(
      'REGISTRY_PROTOCOL',
      `${base.host} gave no valid address for the upload of ${what} (${location ?? 'no Location'})`,
      {
        hint: 'A proxy in front of the registry must pass on X-Forwarded-Proto and Host, so that the registry knows its own address.',
      },
    );
  }

  async #head(
    name: ImageName,
    path: string,
    what: string,
    signal?: AbortSignal,
    headers: Record<string, string> = {},
  ): Promise<HttpResponse> {
    const response = await this.#client.ask({ name, method: 'HEAD', path, what, headers, accept: [200, 404], signal });
    await bodyOf(response);
    return response;
  }

  #host(name: ImageName): string {
    return endpointOf(name, this.#options).base.host;
  }

  #gaveUp(error: unknown, name: ImageName, what: string, { size }: SentBlob): unknown {
    return networkError(error, this.#host(name), `${what} (${size} bytes)`);
  }

  /**
   * Whether a retry may help. 404 and 416: the registry has forgotten the upload or is at another position. 400 is also the
   * answer when the received bytes do not match the digest.
   */
  #mayPass(error: unknown): boolean {
    if (!isAirdockError(error)) return true;
    if ((retryAfterMs(error) ?? 0) > this.#retry.longestMs) return false;
    const status = error.details?.['status'];
    if (typeof status === 'number') return [...passingStatuses, 400, 404, 416].includes(status);
    return error.code === 'REGISTRY_UNREACHABLE';
  }
}

async function* counting(chunks: AsyncIterable<Buffer>, onBytes: (bytes: number) => void): AsyncIterable<Buffer> {
  for await (const chunk of chunks) {
    yield chunk;
    onBytes(chunk.length);
  }
}

function blobText({ repository }: ImageName, digest: Digest): string {
  return `blob ${digest} of ${repository}`;
}

/** Milliseconds that the registry asked to wait. */
function retryAfterMs(error: unknown): number | undefined {
  const seconds = isAirdockError(error) ? error.details?.['retryAfterSeconds'] : undefined;
  return typeof seconds === 'number' ? seconds * 1000 : undefined;
}
