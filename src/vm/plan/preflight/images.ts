import { canonicalName } from '../../../images/reference.ts';
import type { Finding } from '../../../policy/finding.ts';
import type { Context } from '../context.ts';

/** Every image of the rendered model is one of the release's, or there on the engine already (an operator's own service). */
export async function checkImages({ site, compose, names }: Pick<Context, 'site' | 'compose' | 'names'>): Promise<Finding[]> {
  const ours = new Set(names.map((entry) => canonicalName(entry.name)));
  const findings: Finding[] = [];
  for (const [service, { image }] of Object.entries(compose.model?.services ?? {})) {
    if (image !== undefined && (ours.has(canonicalName(image)) || (await site.docker.inspectImage(image)))) continue;
    findings.push({
      code: 'IMAGE_UNRESOLVED',
      text: `service ${service} wants the image ${image ?? '(none)'}, which is neither in the release nor on this engine`,
      fix: 'Correct the image in your compose.override.yaml or .env, or load that image yourself.',
    });
  }
  return findings;
}
