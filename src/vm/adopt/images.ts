import { interpolate } from '../../io/compose-interpolation.ts';
import type { BundleManifest, ImageRecord } from '../../bundle/manifest.ts';
import { canonicalName } from '../../images/reference.ts';
import { servicesOf } from '../compose-files/raw-yaml.ts';
import { refused, type FoundStack } from './found.ts';
import type { RawMap } from '../compose-files/raw-yaml.ts';
import { carriesVersion } from '../images/names.ts';
import { runsImage } from '../images/names.ts';
import type { Site } from '../site/site.ts';

/**
 * The services of the product must run exactly the images of the bundle. Fixed images (of a database) may be the operator's own.
 * @throws ADOPTION_REFUSED listing every difference
 */
export async function assertSameImages(site: Site, stack: FoundStack, manifest: BundleManifest, release: RawMap): Promise<void> {
  const { store } = await site.docker.info();
  const differences: string[] = [];
  for (const [service, raw] of servicesOf(release)) {
    const declared = raw.kind === 'map' ? raw.entries.get('image') : undefined;
    if (declared?.kind !== 'scalar') continue;
    const reference = interpolate(declared.text, (key) => stack.env.get(key));
    const image = recordOf(manifest, reference, declared.text);
    for (const container of stack.containers.filter((one) => one.service === service)) {
      if (image === 'foreign') differences.push(`${service} uses ${reference}, which the bundle does not have`);
      if (typeof image !== 'object') continue;
      if (!(await runsImage(container, image, store, site.docker)))
        differences.push(
          `${service} runs ${container.image} (${container.imageId.slice(0, 19)}), which is not the bundle's ${image.reference}`,
        );
      else if (canonicalName(container.image) !== image.reference)
        differences.push(`${service} runs the bundle's image under the name ${container.image} instead of ${image.reference}`);
    }
  }
  if (differences.length === 0) return;
  throw refused(
    `the running containers are not ${manifest.product} ${manifest.version} of the bundle:\n${differences.join('\n')}`,
    'Adopt with the bundle of the version that runs, correct the image (docker tag, image: in the compose file, docker compose up -d), or adopt without a bundle.',
    { differences },
  );
}

/** The bundle's image; undefined for a fixed image; `foreign` when a variable of `.env` gives an image that the bundle does not have. */
function recordOf(manifest: BundleManifest, reference: string, written: string): ImageRecord | 'foreign' | undefined {
  const record = manifest.images.find((image) => image.reference === canonicalName(reference));
  if (record) return carriesVersion(record.reference, manifest.version) ? record : undefined;
  return written.includes('$') ? 'foreign' : undefined;
}
