import { digestOf, isDigest, type Digest } from '../digest.ts';
import { AirdockError, isAirdockError } from '../errors.ts';
import { answerChallenge, parseChallenge, type Challenge } from './auth.ts';
import type { CredentialSource } from './credentials.ts';
import { expectDigest, type ManifestBytes } from './manifest.ts';
import { acceptedManifests } from './media-types.ts';
import type { ImageName } from './reference.ts';
import { isPassing, networkError, registryWords, statusError } from './registry-errors.ts';
import { patient, pauseAfter, retryAfter, type RetryPolicy } from './retry.ts';
import type { BlobOptions, ImageSource } from './source.ts';
import { isLoopback, readBody, type HttpResponse, type Transport } from './transport.ts';

export type RegistryOptions = {
  transport: Transport;
  credentials: CredentialSource;
  /** Registry host -> where it is really read from: `ghcr.io` -> `http://127.0.0.1:5000`. */
  mirrors?: ReadonlyMap<string, URL>;
  /** Hosts spoken to without TLS. Loopback addresses always are, as Docker does. */
  insecure?: ReadonlySet<string>;
  retry?: RetryPolicy;
  /** Told when something is tried again. */
  onRetry?: (text: string) => void;
};

// distribution-spec "Pushing Manifests": registries may refuse more than 4 MiB
const manifestLimit = 4 << 20;
const redirectLimit = 5;

type Endpoint = { base: URL; credentialHost: string };
type Asked = { name: ImageName; path: string; what: string; headers?: Record<string, string>; signal?: AbortSignal | undefined };

/** A registry by the OCI distribution protocol. No Docker is needed. */
export class Registry implements ImageSource {
  readonly origin = 'registry';
  readonly #options: RegistryOptions;
  readonly #retry: RetryPolicy;
  /** Authorization headers by endpoint and repository; shared by parallel downloads. */
  readonly #authorization = new Map<string, Promise<string | undefined>>();

  constructor(options: RegistryOptions) {
    this.#options = options;
    this.#retry = options.retry ?? patient;
  }

  label(name: ImageName): string {
    const { base } = this.#endpoint(name);
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
    const host = this.#endpoint(name).base.host;
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
        if (isAirdockError(error) || options.signal?.aborted) throw this.#interrupted(error, options.signal);
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
    const response = await this.#ask({
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
    const host = this.#endpoint(name).base.host;
    for (let attempt = 1; ; attempt += 1) {
      const response = await this.#ask({
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
        if (signal?.aborted) throw this.#interrupted(error, signal);
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

  /** An answer of 200 or 206, after authorization, redirects and bounded retries. */
  async #ask(asked: Asked): Promise<HttpResponse> {
    const { base } = this.#endpoint(asked.name);
    for (let attempt = 1; ; attempt += 1) {
      let response: HttpResponse;
      try {
        response = await this.#authorized(asked);
      } catch (error) {
        if (isAirdockError(error) || asked.signal?.aborted) throw this.#interrupted(error, asked.signal);
        if (!isPassing(error) || attempt >= this.#retry.attempts) throw networkError(error, base.host, asked.what);
        await this.#retry.sleep(pauseAfter(this.#retry, attempt), asked.signal);
        continue;
      }
      if (response.status === 200 || response.status === 206) return response;
      const failed = statusError(response.status, base.host, asked.what, registryWords(await bodyOf(response)));
      if (![408, 429, 500, 502, 503, 504].includes(response.status) || attempt >= this.#retry.attempts) throw failed;
      const pause = retryAfter(response.headers['retry-after']) ?? pauseAfter(this.#retry, attempt);
      if (pause > this.#retry.longestMs) {
        throw new AirdockError(failed.code, `${failed.message}; it asks to wait ${Math.ceil(pause / 1000)} s`, {
          ...(failed.hint === undefined ? {} : { hint: failed.hint }),
          details: { ...failed.details, retryAfterSeconds: Math.ceil(pause / 1000) },
        });
      }
      this.#options.onRetry?.(`${base.host} answered ${response.status}, asking again in ${Math.ceil(pause / 1000)} s`);
      await this.#retry.sleep(pause, asked.signal);
    }
  }

  async #authorized(asked: Asked): Promise<HttpResponse> {
    const { base } = this.#endpoint(asked.name);
    const key = `${base.href} ${asked.name.repository}`;
    const used = this.#authorization.get(key);
    const first = await this.#follow(asked, await used);
    if (first.status !== 401) return first;
    const challenge = parseChallenge(first.headers['www-authenticate']);
    if (!challenge) return first;
    await bodyOf(first);
    // Another download may have renewed it meanwhile: one token for all.
    if (this.#authorization.get(key) === used) {
      const renewed = this.#answer(asked, challenge);
      this.#authorization.set(key, renewed);
      renewed.catch(() => this.#authorization.delete(key));
    }
    const header = await this.#authorization.get(key);
    if (header === undefined) {
      throw statusError(401, base.host, asked.what, 'it wants a user and a password, and there are none for it');
    }
    return this.#follow(asked, header);
  }

  async #answer(asked: Asked, challenge: Challenge): Promise<string | undefined> {
    const { base, credentialHost } = this.#endpoint(asked.name);
    return answerChallenge({
      transport: this.#options.transport,
      challenge,
      credentials: await this.#options.credentials(credentialHost),
      registry: base,
      scope: `repository:${repositoryPath(base, asked.name)}:pull`,
      what: asked.what,
      ...(asked.signal ? { signal: asked.signal } : {}),
    });
  }

  async #follow(asked: Asked, authorization: string | undefined): Promise<HttpResponse> {
    const { base } = this.#endpoint(asked.name);
    let url = new URL(`/v2/${repositoryPath(base, asked.name)}/${asked.path}`, base);
    for (let hops = 0; ; hops += 1) {
      // A storage server must never see the registry's token (GHSA-7ppg-37fh-vcr6 and its likes).
      const own = url.origin === base.origin && authorization !== undefined ? { authorization } : {};
      const response = await this.#options.transport.send({
        url,
        headers: { ...asked.headers, ...own },
        ...(asked.signal ? { signal: asked.signal } : {}),
      });
      const location = response.headers.location;
      if (![301, 302, 303, 307, 308].includes(response.status) || location === undefined) return response;
      await bodyOf(response);
      const next = URL.canParse(location, url) ? new URL(location, url) : undefined;
      const refused =
        next === undefined || !/^https?:$/.test(next.protocol)
          ? 'to an address that is none'
          : hops >= redirectLimit
            ? `more than ${redirectLimit} times`
            : next.protocol === 'http:' && url.protocol === 'https:'
              ? `from https to ${next.origin}, which is not encrypted`
              : undefined;
      if (next === undefined || refused !== undefined) {
        throw new AirdockError('REGISTRY_PROTOCOL', `${base.host} redirects the request for ${asked.what} ${refused}`, {
          hint: 'The registry, or a proxy before it, is not set up well.',
        });
      }
      url = next;
    }
  }

  #endpoint(name: ImageName): Endpoint {
    const mirror = this.#options.mirrors?.get(name.registry);
    if (mirror) return { base: mirror, credentialHost: mirror.host };
    if (name.registry === 'docker.io') return { base: new URL('https://registry-1.docker.io'), credentialHost: 'docker.io' };
    const plain = this.#options.insecure?.has(name.registry) || isLoopback(name.registry.replace(/:\d+$/, ''));
    return { base: new URL(`${plain ? 'http' : 'https'}://${name.registry}`), credentialHost: name.registry };
  }

  #interrupted(error: unknown, signal: AbortSignal | undefined): unknown {
    if (isAirdockError(error) || !signal?.aborted) return error;
    return new AirdockError('INTERRUPTED', 'the download was interrupted', {
      hint: 'Run the command again: what was fetched is kept.',
      cause: error,
    });
  }
}

/** A mirror may keep the repositories under a path of its own. */
function repositoryPath(base: URL, name: ImageName): string {
  const prefix = base.pathname.replaceAll(/^\/+|\/+$/g, '');
  return prefix === '' ? name.repository : `${prefix}/${name.repository}`;
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

async function bodyOf(response: HttpResponse): Promise<Buffer | undefined> {
  try {
    return await readBody(response.body as AsyncIterable<Buffer>, 1 << 20);
  } catch {
    return undefined;
  } finally {
    response.body.destroy();
  }
}
