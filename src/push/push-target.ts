import type { BundleManifest } from '../bundle/manifest.ts';
import type { Digest } from '../digest.ts';
import { AirdockError, isAirdockError } from '../errors.ts';
import { parseReference, type ImageName } from '../images/reference.ts';

/** The internal registry. Each part of a release goes to `HOST/PATH`, followed by its original repository. */
export type PushTarget = { readonly text: string; at(repository: string, tag: string | undefined, digest: Digest): ImageName };

/** Parses `registry.internal/nodepad`. @throws USAGE */
export function parseTarget(text: string): PushTarget {
  const place = text.replace(/^oci:\/\//, '').replace(/\/+$/, '');
  const [host = ''] = place.split('/');
  const why = whyNot(place, host);
  if (why !== undefined)
    throw new AirdockError('USAGE', `--registry ${JSON.stringify(text)} is not a registry: ${why}`, {
      hint: 'Give it as HOST/PATH or HOST:PORT/PATH, without https://, e.g. registry.internal/nodepad.',
    });
  return {
    text: place,
    at: (repository, tag, digest) => parseReference(`${place}/${repository}${tag === undefined ? `@${digest}` : `:${tag}`}`),
  };
}

export type PushedImage = { reference: string; target: ImageName; digest: Digest };

/** @throws REFERENCE_INVALID when two images would get one name */
export function imageTargets(target: PushTarget, { images }: BundleManifest): PushedImage[] {
  const taken = new Map<string, PushedImage>();
  return images.map(({ reference, manifestDigest: digest }) => {
    const { repository, tag } = parseReference(reference);
    const image = { reference, target: target.at(repository, tag, digest), digest };
    const other = taken.get(image.target.canonical);
    if (other && other.digest !== digest)
      throw new AirdockError(
        'REFERENCE_INVALID',
        `${other.reference} and ${reference} would both become ${image.target.canonical}`,
        {
          hint: 'Only one of them can have that name. The vendor must rename the other.',
        },
      );
    taken.set(image.target.canonical, image);
    return image;
  });
}

/** All repositories that are pushed to, so that one token can cover them. */
export function repositoriesOf(target: PushTarget, { images, files }: BundleManifest): string[] {
  const charts = files.flatMap(({ path, role }) => (role === 'chart' ? [chartName(path)] : []));
  const names = [...images.map(({ reference }) => parseReference(reference).repository), ...charts.map(chartRepository)];
  return [...new Set(names.map((name) => target.at(name, 'x', images[0]!.manifestDigest).repository))];
}

/** The repository of a chart: below `charts/`, because a chart may have the name of an image. */
export function chartRepository(name: string): string {
  return `charts/${name}`;
}

/** The name in `chart/NAME-VERSION.tgz`, as helm names archives. */
function chartName(path: string): string {
  return /^chart\/(.+?)-\d+\.\d+\.\d+/.exec(path)?.[1] ?? '';
}

function whyNot(place: string, host: string): string | undefined {
  try {
    return parseReference(`${place}/x:1`).registry === host ? undefined : 'its first part is not a host name';
  } catch (error) {
    if (isAirdockError(error)) return error.message;
    throw error;
  }
}
