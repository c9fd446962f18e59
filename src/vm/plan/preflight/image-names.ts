import { idOnStore } from '../../images/names.ts';
import type { Finding } from '../../../policy/finding.ts';
import type { Context } from '../context.ts';

/** A product's name that containers, ours or a neighbour's, run under with another image: loading would move it away from them. */
export async function checkImageNames({ site, engine, names }: Pick<Context, 'site' | 'engine' | 'names'>): Promise<Finding[]> {
  const containers = await site.docker.containers();
  return names.flatMap(({ image, name }) => {
    const others = containers.filter((one) => one.image === name && one.imageId !== idOnStore(image, engine.store));
    if (others.length === 0) return [];
    return [
      {
        code: 'IMAGE_NAME_TAKEN',
        text: `${name} is another image on this engine, and ${others.map((one) => one.name).join(', ')} runs it`,
        fix: 'Ask the vendor why one version has two contents; remove those containers if they are not needed.',
      },
    ];
  });
}
