import { AirdockError } from '../errors.ts';
import { isPinned, parseReference, type ImageName } from '../images/reference.ts';

/** An image that something asks for, and where. */
export type AskedImage = {
  name: ImageName;
  /** `compose api`, `chart api.image` */
  usedBy: string;
  /** `compose.yaml:12`, `chart nodepad, Deployment api` */
  where: string;
};

/** @throws AirdockError REFERENCE_INVALID, IMAGE_UNPINNED */
export function asked(text: string, usedBy: string, where: string): AskedImage {
  const name = parseReference(text, where);
  if (!isPinned(name)) {
    const why = name.tag === 'latest' ? 'latest means another image tomorrow' : 'it has no tag';
    throw new AirdockError('IMAGE_UNPINNED', `${where} asks for ${text}: ${why}`, {
      hint: 'Name a version (image: name:1.2.3) or a digest (image: name@sha256:…).',
      details: { where, image: text },
    });
  }
  return { name, usedBy, where };
}
