import type { ImageRecord } from '../bundle/manifest.ts';
import { AirdockError } from '../errors.ts';
import type { ImageName, Reference } from '../images/reference.ts';
import type { AskedImage } from './asked.ts';
import type { ImageSource } from './config.ts';

export type WantedImage = {
  name: ImageName;
  source: ImageSource | undefined;
  /** `compose api worker beat`, `chart api.image` */
  usedBy: string[];
  /** File and line of the first that asks. */
  where: string;
};

export type ListedImage = { name: ImageName; source?: ImageSource | undefined; usedBy: readonly string[]; where: string };

/**
 * The union of what compose, chart and configuration name, sorted. The configuration may add images and say where one
 * comes from; it cannot take one away.
 * @throws AirdockError CONFIG_INVALID when one tag is asked for with two digests, or with one and without
 */
export function union(asked: readonly AskedImage[], listed: readonly ListedImage[]): WantedImage[] {
  const wanted = new Map<Reference, WantedImage>();
  const take = (name: ImageName, where: string): WantedImage => {
    const known = wanted.get(name.canonical) ?? { name, source: undefined, usedBy: [], where };
    wanted.set(name.canonical, known);
    return known;
  };
  for (const { name, usedBy, where } of asked) take(name, where).usedBy.push(usedBy);
  for (const { name, source, usedBy, where } of listed) {
    const image = take(name, where);
    image.source = source ?? image.source;
    image.usedBy.push(...usedBy);
  }
  const images = [...wanted.values()].map((image) => ({ ...image, usedBy: grouped(image.usedBy) }));
  refuseTwoDigests(images);
  return images.toSorted((a, b) => (a.name.canonical < b.name.canonical ? -1 : 1));
}

/** Nothing that was asked for may be missing from the bundle. @throws AirdockError IMAGE_INCOMPLETE naming file and line */
export function assertComplete(asked: readonly AskedImage[], records: readonly ImageRecord[]): void {
  const here = new Set(records.map(({ reference }) => reference));
  const missing = asked.filter(({ name }) => !here.has(name.canonical));
  if (missing.length === 0) return;
  throw new AirdockError(
    'IMAGE_INCOMPLETE',
    missing.map(({ name, where }) => `${where} asks for ${name.canonical}, and the bundle would not have it`).join('; '),
    {
      hint: 'Add it to images in the configuration.',
      details: { missing: missing.map(({ name, where }) => ({ image: name.canonical, where })) },
    },
  );
}

/** `compose api`, `compose worker` -> `compose api worker`; what the chart and the configuration say stays as it is. */
function grouped(usedBy: readonly string[]): string[] {
  const services = [
    ...new Set(usedBy.filter((text) => text.startsWith('compose ')).map((text) => text.slice('compose '.length))),
  ];
  const others = [...new Set(usedBy.filter((text) => !text.startsWith('compose ')))];
  return [...(services.length > 0 ? [`compose ${services.join(' ')}`] : []), ...others];
}

/** An engine knows one image by a tag: two digests under it could not both be loaded. */
function refuseTwoDigests(images: readonly WantedImage[]): void {
  const byTag = new Map<string, WantedImage>();
  for (const image of images) {
    const { registry, repository, tag } = image.name;
    if (tag === undefined) continue;
    const key = `${registry}/${repository}:${tag}`;
    const other = byTag.get(key);
    if (other) {
      throw new AirdockError(
        'CONFIG_INVALID',
        `${key} is asked for in two ways: as ${other.name.canonical} (${other.where}) and as ${image.name.canonical} (${image.where})`,
        { hint: 'Write it the same way, tag and digest, in both places.' },
      );
    }
    byTag.set(key, image);
  }
}
