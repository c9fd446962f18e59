import { z } from 'zod';
import { AirdockError } from '../errors.ts';
import type { Credentials } from './credentials.ts';
import { networkError, statusError } from './registry-errors.ts';
import { readBody, type Transport } from './transport.ts';

/** A WWW-Authenticate challenge (RFC 9110 section 11.6.1), in the two schemes that registries use. */
export type Challenge = { scheme: 'basic' | 'bearer'; parameters: Record<string, string> };

export function parseChallenge(header: string | undefined): Challenge | undefined {
  const scheme = /^\s*(basic|bearer)\b/i.exec(header ?? '')?.[1]?.toLowerCase();
  if (scheme !== 'basic' && scheme !== 'bearer') return undefined;
  const parameters: Record<string, string> = {};
  for (const [, key, quoted, bare] of (header ?? '').matchAll(/(\w+)=(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))/g)) {
    if (key !== undefined) parameters[key.toLowerCase()] = quoted?.replaceAll(/\\(.)/g, '$1') ?? bare ?? '';
  }
  return { scheme, parameters };
}

/** The reason when a login was sent and refused, unlike a missing login or a missing right. */
export const refusedLogin = 'the registry refused the user name and password';

const tokenAnswer = z.object({ token: z.string().optional(), access_token: z.string().optional() });

export type AuthRequest = {
  transport: Transport;
  challenge: Challenge;
  credentials: Credentials | undefined;
  /** The registry that sent the challenge. */
  registry: URL;
  /** The name under which its credentials are kept. */
  login: string;
  /** The scopes to request when the challenge names none. */
  scopes: readonly string[];
  /** Request `scopes` even if the challenge names another scope. Set for pushes. */
  overrideScope?: boolean;
  what: string;
  signal?: AbortSignal | undefined;
};

/**
 * The Authorization header that answers a challenge (distribution "Token Authentication"); undefined without a login.
 * @throws AirdockError REGISTRY_UNAUTHORIZED and the errors of a request
 */
export async function answerChallenge(request: AuthRequest): Promise<string | undefined> {
  const { challenge, credentials } = request;
  if (challenge.scheme === 'bearer') return `Bearer ${await fetchToken(request)}`;
  if (!credentials || 'identityToken' in credentials) return undefined;
  return basic(credentials);
}

async function fetchToken(request: AuthRequest): Promise<string> {
  const { challenge, credentials, registry, transport } = request;
  const realm = challenge.parameters['realm'];
  const host = registry.host;
  if (realm === undefined || !URL.canParse(realm)) {
    throw new AirdockError('REGISTRY_PROTOCOL', `${host} requires a token but does not name its token service`, {
      hint: 'The registry, or a proxy in front of it, is misconfigured.',
    });
  }
  const url = new URL(realm);
  if (url.protocol !== 'https:' && registry.protocol === 'https:') {
    throw new AirdockError(
      'REGISTRY_PROTOCOL',
      `${host} asks for credentials to be sent to ${url.origin}, which is not encrypted`,
      {
        hint: 'airdock does not send them. The token service of the registry must use https.',
      },
    );
  }
  const service = challenge.parameters['service'];
  const scope = challenge.parameters['scope'];
  const scopes = request.overrideScope || scope === undefined ? request.scopes : [scope];
  const refresh = credentials && 'identityToken' in credentials ? credentials.identityToken : undefined;
  const form = new URLSearchParams(service === undefined ? {} : { service });
  if (refresh === undefined) {
    for (const [key, value] of [...form, ...scopes.map((each) => ['scope', each] as const)]) url.searchParams.append(key, value);
  } else {
    form.set('scope', scopes.join(' '));
    form.set('grant_type', 'refresh_token');
    form.set('refresh_token', refresh);
    form.set('client_id', 'airdock');
  }
  const response = await transport
    .send(
      refresh === undefined
        ? {
            url,
            headers: credentials && !('identityToken' in credentials) ? { authorization: basic(credentials) } : {},
            signal: request.signal,
          }
        : {
            url,
            method: 'POST',
            headers: { 'content-type': 'application/x-www-form-urlencoded' },
            body: form.toString(),
            signal: request.signal,
          },
    )
    .catch((error: unknown) => {
      throw networkError(error, url.host, `a token for ${request.what}`);
    });
  const body = await readBody(response.body, 1 << 20);
  if (response.status !== 200)
    throw statusError({
      status: response.status,
      host: url.host,
      what: `a token for ${request.what}`,
      reason: response.status === 401 && credentials ? refusedLogin : '',
      writing: request.overrideScope ?? false,
      login: request.login,
    });
  let answer: z.infer<typeof tokenAnswer> | undefined;
  try {
    answer = tokenAnswer.parse(JSON.parse(body?.toString('utf8') ?? ''));
  } catch {
    answer = undefined;
  }
  const token = answer?.token ?? answer?.access_token;
  if (token === undefined || !/^[\x21-\x7e]+$/.test(token)) {
    throw new AirdockError('REGISTRY_PROTOCOL', `${url.host} answered the request for a token without a valid token`, {
      hint: `Check that ${url.host} is the token service of ${host}.`,
    });
  }
  return token;
}

function basic(credentials: { username: string; password: string }): string {
  return `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64')}`;
}
