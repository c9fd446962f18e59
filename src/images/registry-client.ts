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
  /** Told when something is tried again. */
  onRetry?: (text: string) => void;
  /** Repositories that are written to: a token is asked for that may do so, and that may mount from one into another. */
  writes?: readonly string[];
};

const redirectLimit = 5;
/** Another answer may come in a while. */
export const passingStatuses: readonly number[] = [408, 429, 500, 502, 503, 504];

type Asked = Pick<HttpRequest, 'method' | 'headers' | 'body'> & {
  name: ImageName;
  /** Within the repository, or where the registry said. */
  path: string | URL;
  what: string;
  /** Statuses that are an answer; 200 and 206 unless told. */
  accept?: readonly number[];
  /** A failure is thrown as it comes: the caller asks again, for how depends on what the registry got. */
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

  /** An accepted answer, after authorization, redirects and bounded retries. */
  async ask(asked: Asked): Promise<HttpResponse> {
    const { base } = endpointOf(asked.name, this.#options);
    const { accept = [200, 206], once = false } = asked;
    const attempts = once ? 1 : this.#retry.attempts;
    for (let attempt = 1; ; attempt += 1) {
      let response: HttpResponse;
      try {
        response = await this.#authorized(asked);
      } catch (error) {
        if (isAirdockError(error) || asked.signal?.aborted) throw interrupted(error, asked.signal);
        if (!isPassing(error) || attempt >= attempts) throw networkError(error, base.host, asked.what);
        await this.#retry.sleep(pauseAfter(this.#retry, attempt), asked.signal);
        continue;
      }
      if (accept.includes(response.status)) return response;
      const said = registryWords(await bodyOf(response));
      const failed = this.#refusal(asked, response.status, said === '' ? whyRefused(response) : said);
      const asks = passingStatuses.includes(response.status) ? retryAfter(response.headers['retry-after']) : undefined;
      if (asks !== undefined && (once || asks > this.#retry.longestMs)) throw asksToWait(failed, asks);
      if (!passingStatuses.includes(response.status) || attempt >= attempts) throw failed;
      const pause = asks ?? pauseAfter(this.#retry, attempt);
      this.#options.onRetry?.(`${base.host} answered ${response.status}, asking again in ${Math.ceil(pause / 1000)} s`);
      await this.#retry.sleep(pause, asked.signal);
    }
  }

  async #authorized(asked: Asked): Promise<HttpResponse> {
    const { base } = endpointOf(asked.name, this.#options);
    const key = `${base.href} ${asked.name.repository}`;
    for (let round = 1; ; round += 1) {
      const used = this.#authorization.get(key);
      const response = await this.#follow(asked, await used);
      const challenge = response.status === 401 ? parseChallenge(response.headers['www-authenticate']) : undefined;
      // a token that was renewed a moment ago may be used up by others already
      if (!challenge || round > (challenge.scheme === 'bearer' ? 3 : 1)) return response;
      await bodyOf(response);
      await this.#renew(asked, key, used, challenge);
    }
  }

  async #renew(asked: Asked, key: string, used: Promise<string | undefined> | undefined, challenge: Challenge): Promise<void> {
    // Another download may have renewed it meanwhile: one token for all.
    if (this.#authorization.get(key) === used) {
      const renewed = this.#answer(asked, challenge);
      this.#authorization.set(key, renewed);
      renewed.catch(() => this.#authorization.delete(key));
    }
    if ((await this.#authorization.get(key)) !== undefined) return;
    throw this.#refusal(asked, 401, 'it wants a user and a password, and there are none for it');
  }

  #refusal({ name, what }: Asked, status: number, said: string): AirdockError {
    const { base, credentialHost: login } = endpointOf(name, this.#options);
    return statusError({ status, host: base.host, what, said, writing: this.#options.writes !== undefined, login });
  }

  async #answer(asked: Asked, challenge: Challenge): Promise<string | undefined> {
    const { base, credentialHost } = endpointOf(asked.name, this.#options);
    return answerChallenge({
      transport: this.#options.transport,
      challenge,
      credentials: await this.#options.credentials(credentialHost),
      registry: base,
      login: credentialHost,
      ...this.#scopes(repositoryPath(base, asked.name)),
      what: asked.what,
      ...(asked.signal ? { signal: asked.signal } : {}),
    });
  }

  #scopes(own: string): { scopes: string[]; ours: boolean } {
    const { writes } = this.#options;
    if (!writes) return { scopes: [`repository:${own}:pull`], ours: false };
    const others = writes.filter((repository) => repository !== own);
    return { scopes: [`repository:${own}:pull,push`, ...others.map((other) => `repository:${other}:pull`)], ours: true };
  }

  async #follow(asked: Asked, authorization: string | undefined): Promise<HttpResponse> {
    const { base } = endpointOf(asked.name, this.#options);
    let url = asked.path instanceof URL ? asked.path : new URL(`/v2/${repositoryPath(base, asked.name)}/${asked.path}`, base);
    for (let hops = 0; ; hops += 1) {
      // A storage server must never see the registry's token (GHSA-7ppg-37fh-vcr6 and its likes).
      const own = url.origin === base.origin && authorization !== undefined ? { authorization } : {};
      const response = await this.#options.transport.send({
        url,
        ...(asked.method ? { method: asked.method } : {}),
        headers: { ...asked.headers, ...own },
        ...(asked.body === undefined ? {} : { body: asked.body }),
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

/** An answer to HEAD says nothing itself. */
function whyRefused({ status, headers }: HttpResponse): string {
  const basic = status === 401 && parseChallenge(headers['www-authenticate'])?.scheme === 'basic';
  return basic ? refusedLogin : '';
}

function asksToWait(failed: AirdockError, milliseconds: number): AirdockError {
  const seconds = Math.ceil(milliseconds / 1000);
  return new AirdockError(failed.code, `${failed.message}; it asks to wait ${seconds} s`, {
    ...(failed.hint === undefined ? {} : { hint: failed.hint }),
    details: { ...failed.details, retryAfterSeconds: seconds },
  });
}

/** Of an answer that is read to its end, so that the connection is free again. */
export async function bodyOf(response: HttpResponse): Promise<Buffer | undefined> {
  try {
    return await readBody(response.body as AsyncIterable<Buffer>, 1 << 20);
  } catch {
    return undefined;
  } finally {
    response.body.destroy();
  }
}
