import { parseDigest, type Digest } from '../digest.ts';
import { AirdockError, isAirdockError } from '../errors.ts';

declare const referenceBrand: unique symbol;

/** A canonical image reference: registry, repository, then a tag, a digest or both. `parseReference` is the only way in. */
export type Reference = string & { readonly [referenceBrand]: true };

export type ImageName = {
  readonly canonical: Reference;
  /** `docker.io`, `ghcr.io`, `127.0.0.1:5000` */
  readonly registry: string;
  /** `library/postgres` */
  readonly repository: string;
  readonly tag?: string | undefined;
  readonly digest?: Digest | undefined;
};

// distribution/reference, regexp.go; OCI distribution-spec "Pulling manifests"
const hostPattern = /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?|\[[0-9a-fA-F:]+\])(?::\d{1,5})?$/;
const repositoryPattern = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*$/;
const tagPattern = /^\w[\w.-]{0,127}$/;

/**
 * `postgres:15` -> `docker.io/library/postgres:15`, as Docker reads it. A name without tag and digest is not completed
 * with `latest`; the caller decides what such a name means.
 * @throws AirdockError REFERENCE_INVALID
 */
export function parseReference(text: string, usedBy?: string): ImageName {
  const invalid = (why: string): AirdockError =>
    new AirdockError('REFERENCE_INVALID', `${JSON.stringify(text)} is not an image reference: ${why}`, {
      hint: `Write it as registry/name:tag or registry/name@sha256:….${usedBy ? ` It is used by ${usedBy}.` : ''}`,
    });
  if (text.length > 512) throw invalid('it is too long');
  const at = text.indexOf('@');
  const named = at === -1 ? text : text.slice(0, at);
  const digestText = at === -1 ? undefined : text.slice(at + 1);
  const colon = named.lastIndexOf(':');
  const tag = colon > named.lastIndexOf('/') ? named.slice(colon + 1) : undefined;
  const name = tag === undefined ? named : named.slice(0, colon);
  if (tag !== undefined && !tagPattern.test(tag)) throw invalid(`${JSON.stringify(tag)} is not a tag`);

  const { registry, repository } = split(name);
  if (!hostPattern.test(registry)) throw invalid(`${JSON.stringify(registry)} is not a registry`);
  if (/^[0-9a-f]{64}$/.test(name)) throw invalid('it is the id of an image, not a name');
  if (!repositoryPattern.test(repository)) {
    throw invalid(
      /[A-Z]/.test(repository) ? 'repository names are lowercase' : `${JSON.stringify(repository)} is not a repository name`,
    );
  }
  const digest = digestText === undefined ? undefined : digestOfReference(digestText, invalid);
  const suffix = (tag === undefined ? '' : `:${tag}`) + (digest === undefined ? '' : `@${digest}`);
  return {
    canonical: `${registry}/${repository}${suffix}` as Reference,
    registry,
    repository,
    tag,
    digest,
  };
}

/** The canonical form; undefined when the text is not a reference, for example an image id. */
export function canonicalOf(text: string): Reference | undefined {
  try {
    return parseReference(text).canonical;
  } catch (error) {
    if (isAirdockError(error, 'REFERENCE_INVALID')) return undefined;
    throw error;
  }
}

/** The canonical form; the text itself when it is not a reference. */
export function canonicalName(text: string): string {
  return canonicalOf(text) ?? text;
}

/** Whether a name stands for fixed content: it has a digest, or a tag other than `latest`. */
export function isPinned(name: ImageName): boolean {
  return name.digest !== undefined || (name.tag !== undefined && name.tag !== 'latest');
}

function split(name: string): { registry: string; repository: string } {
  const slash = name.indexOf('/');
  const first = slash === -1 ? '' : name.slice(0, slash);
  const isHost = /[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase();
  if (!isHost) return { registry: 'docker.io', repository: slash === -1 ? `library/${name}` : name };
  const repository = name.slice(slash + 1);
  if (first !== 'docker.io' && first !== 'index.docker.io') return { registry: first, repository };
  return { registry: 'docker.io', repository: repository.includes('/') ? repository : `library/${repository}` };
}

function digestOfReference(text: string, invalid: (why: string) => AirdockError): Digest {
  try {
    return parseDigest(text, 'REFERENCE_INVALID');
  } catch {
    throw invalid('the part after @ is not a sha256 digest');
  }
}
