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
  /** Bytes from there on, so many. They need not be checked: the registry takes them under their digest alone. */
  read: (from: number, length: number) => AsyncIterable<Buffer>;
};

/** Of an upload: where the next byte is to be sent, and which one that is. */
type Position = { at: URL; offset: number };

/** Larger blobs go in parts, for proxies before registries limit the size of a request. */
const partSize = 64 << 20;
/** A try that came so far was none in vain: the way is there, and the next one may come through. */
const progress = 256 << 10;
/** So many times the usual number of tries for one blob, when they all come that far. */
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

  /** What a tag or a digest names there. Registries need not say it (Docker-Content-Digest); then undefined, too. */
  async manifestDigest(name: ImageName, reference: string, accept: string, signal?: AbortSignal): Promise<string | undefined> {
    const response = await this.#head(name, `manifests/${reference}`, `the manifest of ${name.canonical}`, signal, { accept });
    const digest = response.headers['docker-content-digest'];
    return response.status === 200 && typeof digest === 'string' ? digest : undefined;
  }

  async hasBlob(name: ImageName, digest: Digest, signal?: AbortSignal): Promise<boolean> {
    return (await this.#head(name, `blobs/${digest}`, blobText(name, digest), signal)).status === 200;
  }

  /** @throws REGISTRY_PROTOCOL when it came to lie there as something else */
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
    const said = response.headers['docker-content-digest'];
    if (typeof said === 'string' && said !== manifest.digest)
      throw new AirdockError('REGISTRY_PROTOCOL', `${this.#host(name)} keeps ${what} as ${said}, not as ${manifest.digest}`, {
        hint: 'The registry changes what is pushed to it. References by digest would not be found there.',
      });
  }

  /**
   * Makes a blob of another repository one of this.
   * @returns where it is to be sent instead, when the registry does not do that
   */
  async mount(name: ImageName, digest: Digest, from: string, signal?: AbortSignal): Promise<URL | undefined> {
    const response = await this.#begin(name, `?mount=${digest}&from=${encodeURIComponent(from)}`, digest, signal);
    return response.status === 201 ? undefined : this.#next(name, response, blobText(name, digest));
  }

  /**
   * In parts where it is large. What was cut is gone on with where the registry tells how far it came (distribution-spec
   * "Pushing a blob in chunks"); docker-registry 2.8 does not once part of a request was lost (`upload resumed at wrong
   * offest`), so there it begins anew.
   * @param at where `mount` said
   */
  async send(
    name: ImageName,
    blob: SentBlob,
    { at, signal }: { at?: URL | undefined; signal?: AbortSignal } = {},
  ): Promise<void> {
    const what = blobText(name, blob.digest);
    let upload: Position | undefined = at && { at, offset: 0 };
    let read = 0;
    const counted: SentBlob = { ...blob, read: (from, length) => counting(blob.read(from, length), (bytes) => (read += bytes)) };
    for (let attempt = 1, tries = 1; ; attempt += 1, tries += 1) {
      read = 0;
      try {
        if (tries > 1 && upload) upload = await this.#whereAt(name, upload.at, what, signal);
        upload ??= { at: await this.#location(name, blob.digest, signal), offset: 0 };
        for (let next: Position | undefined = upload; next; next = await this.#part(name, counted, next, what, signal))
          upload = next;
        return;
      } catch (error) {
        if (signal?.aborted || !this.#mayPass(error)) throw interrupted(error, signal);
        if (read >= Math.min(progress, blob.size / 2)) attempt = 1;
        if (attempt >= this.#retry.attempts || tries >= patience * this.#retry.attempts)
          throw this.#gaveUp(error, name, `${what}, tried ${tries} times`, blob);
        this.#options.onRetry?.(`${this.#host(name)} did not take ${what} in full; once more`);
        await this.#retry.sleep(asked(error) ?? pauseAfter(this.#retry, attempt), signal);
      }
    }
  }

  /** @returns where to go on, undefined when that was the last part */
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

  /** Undefined when the registry does not know it any more, or does not say how far it came. */
  async #whereAt(name: ImageName, at: URL, what: string, signal?: AbortSignal): Promise<Position | undefined> {
    const response = await this.#client.ask({ name, path: at, accept: [204, 200, 202, 400, 404, 405], what, signal });
    await bodyOf(response);
    const end = Number(/^(?:bytes=)?0-(\d+)$/.exec(response.headers.range ?? '')?.[1] ?? 0);
    // `0-0` is what is said of one byte and of none
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
    const said = headers.location;
    if (said === undefined && before) return before;
    if (said !== undefined && URL.canParse(said, base)) {
      const next = new URL(said, base);
      if (next.protocol === 'https:' || (next.protocol === 'http:' && base.protocol === 'http:')) return next;
    }
    throw new AirdockError(
      'REGISTRY_PROTOCOL',
      `${base.host} does not say where ${what} is to be sent (${said ?? 'no Location'})`,
      {
        hint: 'A proxy before the registry must hand on X-Forwarded-Proto and Host, so that the registry knows its own address.',
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
   * 404 and 416 of an upload: it is forgotten, or further than thought; asking where it is tells. 400: so is a digest that does
   * not fit what came together.
   */
  #mayPass(error: unknown): boolean {
    if (!isAirdockError(error)) return true;
    if ((asked(error) ?? 0) > this.#retry.longestMs) return false;
    const status = error.details?.['status'];
    if (typeof status === 'number') return [...passingStatuses, 400, 404, 416].includes(status);
    return error.code === 'REGISTRY_UNREACHABLE';
  }
}

async function* counting(chunks: AsyncIterable<Buffer>, told: (bytes: number) => void): AsyncIterable<Buffer> {
  for await (const chunk of chunks) {
    yield chunk;
    told(chunk.length);
  }
}

function blobText({ repository }: ImageName, digest: Digest): string {
  return `blob ${digest} of ${repository}`;
}

/** Milliseconds that the registry wants to be left alone for. */
function asked(error: unknown): number | undefined {
  const seconds = isAirdockError(error) ? error.details?.['retryAfterSeconds'] : undefined;
  return typeof seconds === 'number' ? seconds * 1000 : undefined;
}
