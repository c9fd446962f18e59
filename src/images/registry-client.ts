import { AirdockError, isAirdockError } from '../errors.ts';
import { answerChallenge, parseChallenge, type Challenge } from './auth.ts';
import type { CredentialSource } from './credentials.ts';
import type { ImageName } from './reference.ts';
import { endpointOf, repositoryPath, type EndpointOptions } from './registry-endpoint.ts';
import { interrupted, isPassing, networkError, registryWords, statusError } from './registry-errors.ts';
import { patient, pauseAfter, retryAfter, type RetryPolicy } from './retry.ts';
import { readBody, type HttpResponse, type Transport } from './transport.ts';

export type RegistryOptions = EndpointOptions & {
  transport: Transport;
  credentials: CredentialSource;
  retry?: RetryPolicy;
  /** Told when something is tried again. */
  onRetry?: (text: string) => void;
};

const redirectLimit = 5;

type Asked = { name: ImageName; path: string; what: string; headers?: Record<string, string>; signal?: AbortSignal | undefined };

/** Requests to registries: authorization, redirects, retries. */
export class RegistryClient {
  readonly #options: RegistryOptions;
  readonly #retry: RetryPolicy;
  /** Authorization headers by endpoint and repository; shared by parallel downloads. */
  readonly #authorization = new Map<string, Promise<string | undefined>>();

  constructor(options: RegistryOptions) {
    this.#options = options;
    this.#retry = options.retry ?? patient;
  }

  /** An answer of 200 or 206, after authorization, redirects and bounded retries. */
  async ask(asked: Asked): Promise<HttpResponse> {
    const { base } = endpointOf(asked.name, this.#options);
    for (let attempt = 1; ; attempt += 1) {
      let response: HttpResponse;
      try {
        response = await this.#authorized(asked);
      } catch (error) {
        if (isAirdockError(error) || asked.signal?.aborted) throw interrupted(error, asked.signal);
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
    const { base } = endpointOf(asked.name, this.#options);
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
    const { base, credentialHost } = endpointOf(asked.name, this.#options);
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
    const { base } = endpointOf(asked.name, this.#options);
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
