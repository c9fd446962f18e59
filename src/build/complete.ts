import type { ImageRecord } from '../bundle/manifest.ts';
import { AirdockError } from '../errors.ts';
import type { ImageName, Reference } from '../images/reference.ts';
import type { RequestedImage } from './requested-image.ts';
import type { ImageSource } from './config.ts';

export type ReleaseImage = {
  name: ImageName;
  source: ImageSource | undefined;
  /** `compose api worker beat`, `chart api.image` */
  usedBy: string[];
  /** File and line of the first place that names the image. */
  where: string;
};

export type ListedImage = { name: ImageName; source?: ImageSource | undefined; usedBy: readonly string[]; where: string };

/**
 * All images that compose file, chart and configuration name, sorted. The configuration may add an image and name its
 * source; it cannot remove an image.
 * @throws AirdockError CONFIG_INVALID when one tag is named with two digests, or with and without a digest
 */
export function union(requested: readonly RequestedImage[], listed: readonly ListedImage[]): ReleaseImage[] {
  const byReference = new Map<Reference, ReleaseImage>();
  const take = (name: ImageName, where: string): ReleaseImage => {
    const known = byReference.get(name.canonical) ?? { name, source: undefined, usedBy: [], where };
    byReference.set(name.canonical, known);
    return known;
  };
  for (const { name, usedBy, where } of requested) take(name, where).usedBy.push(usedBy);
  for (const { name, source, usedBy, where } of listed) {
    const image = take(name, where);
    image.source = source ?? image.source;
    image.usedBy.push(...usedBy);
  }
  const images = [...byReference.values()].map((image) => ({ ...image, usedBy: grouped(image.usedBy) }));
  refuseTwoDigests(images);
  return images.toSorted((a, b) => (a.name.canonical < b.name.canonical ? -1 : 1));
}

/** Checks that the bundle has every requested image. @throws AirdockError IMAGE_INCOMPLETE naming file and line */
export function assertComplete(requested: readonly RequestedImage[], records: readonly ImageRecord[]): void {
  const included = new Set(records.map(({ reference }) => reference));
  const missing = requested.filter(({ name }) => !included.has(name.canonical));
  if (missing.length === 0) return;
  throw new AirdockError(
    'IMAGE_INCOMPLETE',
    missing.map(({ name, where }) => `${where} uses ${name.canonical}, which would be missing from the bundle`).join('; '),
    {
      hint: 'Add the image to images in the configuration.',
      details: { missing: missing.map(({ name, where }) => ({ image: name.canonical, where })) },
    },
  );
}

/** `compose api`, `compose worker` -> `compose api worker`; entries of the chart and the configuration are unchanged. */
function grouped(usedBy: readonly string[]): string[] {
  const services = [
    ...new Set(usedBy.filter((text) => text.startsWith('compose ')).map((text) => text.slice('compose '.length))),
  ];
  const others = [...new Set(usedBy.filter((text) => !text.startsWith('compose ')))];
  return [...(services.length > 0 ? [`compose ${services.join(' ')}`] : []), ...others];
}

/** An engine has one image for a tag, so two digests under one tag could not both be loaded. */
function refuseTwoDigests(images: readonly ReleaseImage[]): void {
  const byTag = new Map<string, ReleaseImage>();
  for (const image of images) {
    const { registry, repository, tag } = image.name;
    if (tag === undefined) continue;
    const key = `${registry}/${repository}:${tag}`;
    const other = byTag.get(key);
    if (other) {
      throw new AirdockError(
        'CONFIG_INVALID',
        `${key} is named in two ways: as ${other.name.canonical} (${other.where}) and as ${image.name.canonical} (${image.where})`,
        { hint: 'Use the same tag and digest in both places.' },
      );
    }
    byTag.set(key, image);
  }
}
