import type { BundleManifest } from '../bundle/manifest.ts';
import type { Digest } from '../digest.ts';
import { AirdockError, isAirdockError } from '../errors.ts';
import { parseReference, type ImageName } from '../images/reference.ts';

/** Where each part of a release lies in the internal registry: `HOST/PATH`, then the repository that it has at home. */
export type PushTarget = { readonly text: string; at(repository: string, tag: string | undefined, digest: Digest): ImageName };

/** `registry.internal/nodepad`. @throws USAGE */
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
          hint: 'Below one path of a registry there is room for one of them. The vendor has to rename one.',
        },
      );
    taken.set(image.target.canonical, image);
    return image;
  });
}

/** Everything that is written to, so that one token may do it all. */
export function repositoriesOf(target: PushTarget, { images, files }: BundleManifest): string[] {
  const charts = files.flatMap(({ path, role }) => (role === 'chart' ? [chartName(path)] : []));
  const names = [...images.map(({ reference }) => parseReference(reference).repository), ...charts.map(chartRepository)];
  return [...new Set(names.map((name) => target.at(name, 'x', images[0]!.manifestDigest).repository))];
}

/** Charts have a folder of their own: one may be called like an image. */
export function chartRepository(name: string): string {
  return `charts/${name}`;
}

/** Of `chart/NAME-VERSION.tgz`, as helm names archives. */
function chartName(path: string): string {
  return /^chart\/(.+?)-\d+\.\d+\.\d+/.exec(path)?.[1] ?? '';
}

function whyNot(place: string, host: string): string | undefined {
  try {
    return parseReference(`${place}/x:1`).registry === host ? undefined : 'its first part is no host name';
  } catch (error) {
    if (isAirdockError(error)) return error.message;
    throw error;
  }
}
