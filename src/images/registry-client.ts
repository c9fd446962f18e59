import { AirdockError, isAirdockError } from '../errors.ts';
import { answerChallenge, parseChallenge, refusedLogin, type Challenge } from './auth.ts';
import type { CredentialSource } from './credentials.ts';
import type { ImageName } from './reference.ts';
import { endpointOf, repositoryPath, type EndpointOptions } from './registry-endpoint.ts';
import { interrupted, isPassing, networkError, registryWords, statusError } from './registry-errors.ts';
import { patient, pauseAfter, retryAfter, type RetryPolicy } from './retry.ts';
import { readBody, type HttpRequest, type HttpResponse, type Transport } from './transport.ts';

export type RegistryOptions = EndpointOptions & {
  transport: Transport;
  credentials: CredentialSource;
  retry?: RetryPolicy;
  /** Called when a request is tried again. */
  onRetry?: (text: string) => void;
  /** Repositories that are pushed to. Tokens are requested with the right to push and to mount blobs between them. */
  writes?: readonly string[];
};

const redirectLimit = 5;
/** Statuses after which a later attempt may succeed. */
export const passingStatuses: readonly number[] = [408, 429, 500, 502, 503, 504];

type ClientRequest = Pick<HttpRequest, 'method' | 'headers' | 'body'> & {
  name: ImageName;
  /** A path within the repository, or a URL that the registry gave. */
  path: string | URL;
  what: string;
  /** Statuses that count as success; default: 200 and 206. */
  accept?: readonly number[];
  /** No retries here: the caller retries, depending on how much the registry received. */
  once?: boolean;
  signal?: AbortSignal | undefined;
};

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

  /** Sends a request, with authorization, redirects and bounded retries, and returns an accepted answer. */
  async ask(request: ClientRequest): Promise<HttpResponse> {
    const { base } = endpointOf(request.name, this.#options);
    const { accept = [200, 206], once = false } = request;
    const attempts = once ? 1 : this.#retry.attempts;
    for (let attempt = 1; ; attempt += 1) {
      let response: HttpResponse;
      try {
        response = await this.#authorized(request);
      } catch (error) {
        if (isAirdockError(error) || request.signal?.aborted) throw interrupted(error, request.signal);
        if (!isPassing(error) || attempt >= attempts) throw networkError(error, base.host, request.what);
        await this.#retry.sleep(pauseAfter(this.#retry, attempt), request.signal);
        continue;
      }
      if (accept.includes(response.status)) return response;
      const reason = registryWords(await bodyOf(response));
      const failed = this.#refusal(request, response.status, reason === '' ? whyRefused(response) : reason);
      const waitMs = passingStatuses.includes(response.status) ? retryAfter(response.headers['retry-after']) : undefined;
      if (waitMs !== undefined && (once || waitMs > this.#retry.longestMs)) throw asksToWait(failed, waitMs);
      if (!passingStatuses.includes(response.status) || attempt >= attempts) throw failed;
      const pause = waitMs ?? pauseAfter(this.#retry, attempt);
      this.#options.onRetry?.(`${base.host} answered ${response.status}, asking again in ${Math.ceil(pause / 1000)} s`);
      await this.#retry.sleep(pause, request.signal);
    }
  }

  async #authorized(request: ClientRequest): Promise<HttpResponse> {
    const { base } = endpointOf(request.name, this.#options);
    const key = `${base.href} ${request.name.repository}`;
    for (let round = 1; ; round += 1) {
      const used = this.#authorization.get(key);
      const response = await this.#follow(request, await used);
      const challenge = response.status === 401 ? parseChallenge(response.headers['www-authenticate']) : undefined;
      // parallel requests may have made a token expire that was renewed a moment ago
      if (!challenge || round > (challenge.scheme === 'bearer' ? 3 : 1)) return response;
      await bodyOf(response);
      await this.#renew(request, key, used, challenge);
    }
  }

  async #renew(
    request: ClientRequest,
    key: string,
    used: Promise<string | undefined> | undefined,
    challenge: Challenge,
  ): Promise<void> {
    // A parallel download may have renewed the token meanwhile; all share one token.
    if (this.#authorization.get(key) === used) {
      const renewed = this.#answer(request, challenge);
      this.#authorization.set(key, renewed);
      renewed.catch(() => this.#authorization.delete(key));
    }
    if ((await this.#authorization.get(key)) !== undefined) return;
    throw this.#refusal(request, 401, 'the registry requires a login, and none is stored for it');
  }

  #refusal({ name, what }: ClientRequest, status: number, reason: string): AirdockError {
    const { base, credentialHost: login } = endpointOf(name, this.#options);
    return statusError({ status, host: base.host, what, reason, writing: this.#options.writes !== undefined, login });
  }

  async #answer(request: ClientRequest, challenge: Challenge): Promise<string | undefined> {
    const { base, credentialHost } = endpointOf(request.name, this.#options);
    return answerChallenge({
      transport: this.#options.transport,
      challenge,
      credentials: await this.#options.credentials(credentialHost),
      registry: base,
      login: credentialHost,
      ...this.#scopes(repositoryPath(base, request.name)),
      what: request.what,
      signal: request.signal,
    });
  }

  #scopes(own: string): { scopes: string[]; overrideScope: boolean } {
    const { writes } = this.#options;
    if (!writes) return { scopes: [`repository:${own}:pull`], overrideScope: false };
    const others = writes.filter((repository) => repository !== own);
    return { scopes: [`repository:${own}:pull,push`, ...others.map((other) => `repository:${other}:pull`)], overrideScope: true };
  }

  async #follow(request: ClientRequest, authorization: string | undefined): Promise<HttpResponse> {
    const { base } = endpointOf(request.name, this.#options);
    let url =
      request.path instanceof URL ? request.path : new URL(`/v2/${repositoryPath(base, request.name)}/${request.path}`, base);
    for (let hops = 0; ; hops += 1) {
      // A storage server must never see the registry's token (GHSA-7ppg-37fh-vcr6 and similar).
      const own = url.origin === base.origin && authorization !== undefined ? { authorization } : {};
      const response = await this.#options.transport.send({
        url,
        method: request.method,
        headers: { ...request.headers, ...own },
        body: request.body,
        signal: request.signal,
      });
      const location = response.headers.location;
      if (![301, 302, 303, 307, 308].includes(response.status) || location === undefined) return response;
      await bodyOf(response);
      const next = URL.canParse(location, url) ? new URL(location, url) : undefined;
      const refused =
        next === undefined || !/^https?:$/.test(next.protocol)
          ? 'to an invalid address'
          : hops >= redirectLimit
            ? `more than ${redirectLimit} times`
            : next.protocol === 'http:' && url.protocol === 'https:'
              ? `from https to ${next.origin}, which is not encrypted`
              : undefined;
      if (next === undefined || refused !== undefined) {
        throw new AirdockError('REGISTRY_PROTOCOL', `${base.host} redirects the request for ${request.what} ${refused}`, {
          hint: 'The registry, or a proxy in front of it, is misconfigured.',
        });
      }
      url = next;
    }
  }
}

/** The reason of a refusal whose answer has no body, as with HEAD. */
function whyRefused({ status, headers }: HttpResponse): string {
  const basic = status === 401 && parseChallenge(headers['www-authenticate'])?.scheme === 'basic';
  return basic ? refusedLogin : '';
}

function asksToWait(failed: AirdockError, milliseconds: number): AirdockError {
  const seconds = Math.ceil(milliseconds / 1000);
  return new AirdockError(failed.code, `${failed.message}; the registry asks to wait ${seconds} s`, {
    hint: failed.hint,
    details: { ...failed.details, retryAfterSeconds: seconds },
  });
}

/** The body of an answer, read to its end so that the connection can be used again. */
export async function bodyOf(response: HttpResponse): Promise<Buffer | undefined> {
  try {
    return await readBody(response.body as AsyncIterable<Buffer>, 1 << 20);
  } catch {
    return undefined;
  } finally {
    response.body.destroy();
  }
}
