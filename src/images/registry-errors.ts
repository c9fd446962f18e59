import { AirdockError, isAirdockError, systemCode, type ErrorCode } from '../errors.ts';

/** Errors of requests to registries, with hints for the user. */

type Refusal = {
  status: number;
  host: string;
  /** "the manifest of ghcr.io/acme/api:1" */
  what: string;
  /** The reason, from the registry or from airdock; '' when there is none. */
  reason: string;
  /** The request belongs to a push. */
  writing: boolean;
  /** The argument of `docker login` in the hint. */
  login: string;
};

export function statusError({ status, host, what, reason, writing, login }: Refusal): AirdockError {
  const [code, hint] = writing ? explainPush(status, host, login) : explain(status, host, login);
  const suffix = reason === '' ? '' : ` (${reason})`;
  return new AirdockError(code, `${host} answered ${status} to the request for ${what}${suffix}`, {
    hint,
    details: { registry: host, status },
  });
}

function explain(status: number, host: string, login: string): [ErrorCode, string] {
  switch (status) {
    case 401:
    case 403:
      return [
        'REGISTRY_UNAUTHORIZED',
        `Log in with docker login ${login} (or put credentials into ~/.docker/config.json), and check the name: some registries ` +
          'give this answer for images that do not exist.',
      ];
    case 404:
      return ['REGISTRY_NOT_FOUND', 'Check name and tag, and whether the image has been pushed.'];
    case 429:
      return ['REGISTRY_RATE_LIMITED', `Wait, or log in with docker login ${login}: limits are higher for logged-in users.`];
    default:
      return status >= 500
        ? ['REGISTRY_UNREACHABLE', 'The registry reports an internal error. Try again later; what was fetched is kept.']
        : ['REGISTRY_PROTOCOL', `Check that ${host} is a container registry.`];
  }
}

function explainPush(status: number, host: string, login: string): [ErrorCode, string] {
  const again = 'Then run the same command again: completed uploads are not repeated.';
  switch (status) {
    case 401:
    case 403:
      return [
        'REGISTRY_UNAUTHORIZED',
        `Log in with docker login ${login}, or give --username and --password-stdin; the user must have the right to push there.`,
      ];
    case 404:
      return [
        'REGISTRY_NOT_FOUND',
        `Does the project exist on ${host}? Some registries need the project to exist before a push.`,
      ];
    case 405:
      return ['REGISTRY_READ_ONLY', `${host} accepts no pushes: it is read-only, or the path does not belong to a registry.`];
    case 413:
      return [
        'REGISTRY_PROTOCOL',
        `A proxy in front of ${host} limits the size of a request (nginx: client_max_body_size). Raise it.`,
      ];
    case 429:
      return ['REGISTRY_RATE_LIMITED', `There were too many requests. Wait. ${again}`];
    default:
      return status >= 500
        ? ['REGISTRY_UNREACHABLE', `The registry reports an internal error; check whether its disk is full. ${again}`]
        : [
            'REGISTRY_PROTOCOL',
            `Check that ${host} is a container registry, and that it allows pushes of this kind. If it speaks TLS, leave out ` +
              '--plain-http; on a loopback address, --ca-file FILE turns TLS on.',
          ];
  }
}

/** The error of a failed connection. An AirdockError is returned unchanged. */
export function networkError(error: unknown, host: string, what: string, received?: string): AirdockError {
  if (isAirdockError(error)) return error;
  const code = networkCode(error);
  const why = error instanceof Error && error.message !== '' ? error.message : String(code);
  const dropped = received === undefined ? '' : ` after ${received}`;
  return new AirdockError('REGISTRY_UNREACHABLE', `${host} could not be reached${dropped} for ${what}: ${why}`, {
    hint: networkHint(code, host),
    cause: error,
    details: { registry: host },
  });
}

function networkHint(code: string | undefined, host: string): string {
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return `The certificate is for other names. Give the registry by one of them, or have one issued that names ${host}.`;
  }
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID') {
    return `The certificate of ${host} is not valid now: it must be renewed, or the clock of this machine is wrong.`;
  }
  if (isCertificateProblem(code)) {
    return `The certificate of ${host} is not trusted here. Give its CA with --ca-file FILE.`;
  }
  switch (code) {
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'The name does not resolve. Check it, and the proxy (HTTPS_PROXY, NO_PROXY) if one is needed.';
    case 'ECONNREFUSED':
      return 'Nothing listens there. Check the address; for build, --mirror HOST=URL reads from another address.';
    case 'EPROTO':
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
    case 'ERR_SSL_PACKET_LENGTH_TOO_LONG':
      return `${host} does not speak TLS. If plain HTTP is intended: --insecure ${host}, or, for push, --plain-http.`;
    default:
      return 'Check the network and the proxy (HTTPS_PROXY, NO_PROXY), and run the command again: what has arrived is kept.';
  }
}

/** INTERRUPTED when the signal was aborted; any other error unchanged. */
export function interrupted(error: unknown, signal: AbortSignal | undefined): unknown {
  if (isAirdockError(error) || !signal?.aborted) return error;
  return new AirdockError('INTERRUPTED', 'the transfer was interrupted', {
    hint: 'Run the command again: what has arrived is kept.',
    cause: error,
  });
}

/** Whether a retry may help: the connection was made, or may be possible in a moment. */
export function isPassing(error: unknown): boolean {
  const code = networkCode(error);
  if (isCertificateProblem(code)) return false;
  return (
    code === undefined ||
    (!['ENOTFOUND', 'ECONNREFUSED', 'EPROTO', 'ERR_INVALID_URL'].includes(code) && !code.startsWith('ERR_SSL'))
  );
}

function isCertificateProblem(code: string | undefined): boolean {
  return code !== undefined && /CERT|SELF_SIGNED|UNABLE_TO_(VERIFY|GET_ISSUER)|ERR_TLS/.test(code);
}

/** The code of a network error. With several addresses tried (Happy Eyeballs), Node wraps them in an AggregateError. */
function networkCode(error: unknown): string | undefined {
  if (error instanceof AggregateError && error.errors.length > 0) return networkCode(error.errors[0]);
  return systemCode(error);
}

/** The message in an error answer, or '' (OCI distribution-spec "Error Codes": `{"errors":[{"code","message"}]}`). */
export function registryWords(body: Buffer | undefined): string {
  try {
    const document = JSON.parse(body?.toString('utf8') ?? '') as { errors?: { code?: unknown; message?: unknown }[] };
    return (document.errors ?? [])
      .map((entry) => [entry.code, entry.message].filter((part) => typeof part === 'string').join(': '))
      .join('; ')
      .replaceAll(/[^\x20-\x7e]/g, ' ')
      .slice(0, 300);
  } catch {
    return '';
  }
}
