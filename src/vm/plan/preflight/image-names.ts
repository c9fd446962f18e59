import { idOnStore } from '../../images/names.ts';
import type { Finding } from '../../../policy/finding.ts';
import type { Context } from '../context.ts';

/** Checks that no container, of any project, runs another image under a product image's name, because a load would move the name. */
export async function checkImageNames({ site, engine, names }: Pick<Context, 'site' | 'engine' | 'names'>): Promise<Finding[]> {
  const containers = await site.docker.containers();
  return names.flatMap(({ image, name }) => {
    const others = containers.filter(
      (container) => container.image === name && container.imageId !== idOnStore(image, engine.store),
    );
    if (others.length === 0) return [];
    return [
      {
        code: 'IMAGE_NAME_TAKEN',
        text: `${name} is another image on this engine, and ${others.map((container) => container.name).join(', ')} runs it`,
        fix: 'Ask the vendor why one version has two different images; remove those containers if nobody needs them.',
      },
    ];
  });
}
