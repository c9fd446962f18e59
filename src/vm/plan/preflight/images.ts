import { canonicalName } from '../../../images/reference.ts';
import type { Finding } from '../../../policy/finding.ts';
import type { Context } from '../context.ts';

/** Checks that every image that compose would use is in the release, or on the engine already (of an operator's own service). */
export async function checkImages({ site, compose, names }: Pick<Context, 'site' | 'compose' | 'names'>): Promise<Finding[]> {
  const releaseNames = new Set(names.map((entry) => canonicalName(entry.name)));
  const findings: Finding[] = [];
  for (const [service, { image }] of Object.entries(compose.model?.services ?? {})) {
    if (image !== undefined && (releaseNames.has(canonicalName(image)) || (await site.docker.inspectImage(image)))) continue;
    findings.push({
      code: 'IMAGE_UNRESOLVED',
      text: `service ${service} uses the image ${image ?? '(none)'}, which is neither in the release nor on this engine`,
      fix: 'Correct the image in your compose.override.yaml or .env, or load that image yourself.',
    });
  }
  return findings;
}
