import { AirdockError, isAirdockError, systemCode, type ErrorCode } from '../errors.ts';

/** What a person is told when a registry says no. */

type Refusal = {
  status: number;
  host: string;
  /** "the manifest of ghcr.io/acme/api:1" */
  what: string;
  /** Why, in the registry's words or ours. */
  said: string;
  /** The registry is pushed to. */
  writing: boolean;
  /** What `docker login` is to be told. */
  login: string;
};

export function statusError({ status, host, what, said, writing, login }: Refusal): AirdockError {
  const [code, hint] = writing ? explainPush(status, host, login) : explain(status, host, login);
  const words = said === '' ? '' : ` (${said})`;
  return new AirdockError(code, `${host} answered ${status} to the request for ${what}${words}`, {
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
          'answer so for images that do not exist.',
      ];
    case 404:
      return ['REGISTRY_NOT_FOUND', 'Check name and tag, and whether the image has been pushed.'];
    case 429:
      return ['REGISTRY_RATE_LIMITED', `Wait, or log in with docker login ${login}: limits are higher for known users.`];
    default:
      return status >= 500
        ? ['REGISTRY_UNREACHABLE', 'The registry has a problem of its own. Try again later; what was fetched is kept.']
        : ['REGISTRY_PROTOCOL', `Check that ${host} is a container registry.`];
  }
}

function explainPush(status: number, host: string, login: string): [ErrorCode, string] {
  const again = 'Then run the same command again: what has arrived is not sent again.';
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
        `Does the project exist on ${host}? Some registries want it made before anything is pushed to it.`,
      ];
    case 405:
      return ['REGISTRY_READ_ONLY', `${host} takes nothing: it is read-only, or its path is not a registry's.`];
    case 413:
      return [
        'REGISTRY_PROTOCOL',
        `A proxy before ${host} limits the size of a request (nginx: client_max_body_size). Raise it.`,
      ];
    case 429:
      return ['REGISTRY_RATE_LIMITED', `It is asked too often. Wait. ${again}`];
    default:
      return status >= 500
        ? ['REGISTRY_UNREACHABLE', `The registry has a problem of its own; is its disk full? ${again}`]
        : [
            'REGISTRY_PROTOCOL',
            `Check that ${host} is a container registry, and that it allows pushes of this kind. If it speaks TLS, leave out ` +
              '--plain-http; on a loopback address TLS has to be asked for, with --ca-file FILE.',
          ];
  }
}

/** A connection that failed. What is explained already stays as it is. */
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
    return `The certificate of ${host} is not valid now: it has to be renewed, or the clock of this machine is wrong.`;
  }
  if (isCertificateProblem(code)) {
    return `The certificate of ${host} is not trusted here. Give its CA with --ca-file FILE.`;
  }
  switch (code) {
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'The name does not resolve. Check it, and the proxy (HTTPS_PROXY, NO_PROXY) if one is needed.';
    case 'ECONNREFUSED':
      return 'Nothing listens there. Check the address; for build, --mirror HOST=URL says where a registry is really read from.';
    case 'EPROTO':
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
    case 'ERR_SSL_PACKET_LENGTH_TOO_LONG':
      return `${host} does not speak TLS. If it is meant to be plain HTTP: --insecure ${host}, or, for push, --plain-http.`;
    default:
      return 'Check the network and the proxy (HTTPS_PROXY, NO_PROXY), and run the command again: what has arrived is kept.';
  }
}

/** An error that came because the signal did; any other as it is. */
export function interrupted(error: unknown, signal: AbortSignal | undefined): unknown {
  if (isAirdockError(error) || !signal?.aborted) return error;
  return new AirdockError('INTERRUPTED', 'the transfer was interrupted', {
    hint: 'Run the command again: what has arrived is kept.',
    cause: error,
  });
}

/** Worth another attempt: the connection was made, or could be made in a moment. */
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

/** Happy eyeballs hides the codes in an AggregateError. */
function networkCode(error: unknown): string | undefined {
  if (error instanceof AggregateError && error.errors.length > 0) return networkCode(error.errors[0]);
  return systemCode(error);
}

/** OCI distribution-spec "Error Codes": `{"errors":[{"code","message"}]}`. */
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
