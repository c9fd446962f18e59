import { AirdockError } from '../errors.ts';
import { isPinned, parseReference, type ImageName } from '../images/reference.ts';

/** An image that a file of the release names, and the place. */
export type RequestedImage = {
  name: ImageName;
  /** `compose api`, `chart api.image` */
  usedBy: string;
  /** `compose.yaml:12`, `chart nodepad, Deployment api` */
  where: string;
};

/** Parses a reference, which must have a tag other than `latest`, or a digest. @throws AirdockError REFERENCE_INVALID, IMAGE_UNPINNED */
export function requestedImage(text: string, usedBy: string, where: string): RequestedImage {
  const name = parseReference(text, where);
  if (!isPinned(name)) {
    const why = name.tag === 'latest' ? 'latest may be another image tomorrow' : 'it has no tag';
    throw new AirdockError('IMAGE_UNPINNED', `${where} uses ${text}: ${why}`, {
      hint: 'Name a version (image: name:1.2.3) or a digest (image: name@sha256:…).',
      details: { where, image: text },
    });
  }
  return { name, usedBy, where };
}
