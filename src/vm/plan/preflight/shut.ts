import type { Finding } from '../../../policy/finding.ts';
import type { Context } from '../context.ts';

/** Services that would be started while users are not to come in, and that compose would start a traffic service for. */
export function checkShut({
  compose,
  swaps,
  installed,
  release,
}: Pick<Context, 'compose' | 'swaps' | 'installed' | 'release'>): Finding[] {
  if (!compose.model || !swaps) return [];
  const manifests = [...(installed ? [installed.manifest] : []), release.manifest];
  const shut = new Set(manifests.flatMap((manifest) => manifest.traffic));
  return Object.entries(compose.model.services).flatMap(([service, { depends_on: needs = {}, ports = [] }]) => {
    if (shut.has(service)) return [];
    const opens = Object.keys(needs).filter((needed) => shut.has(needed));
    if (opens.length > 0)
      return {
        code: 'TRAFFIC_DEPENDENCY',
        text: `${service} depends on ${opens.join(', ')}, which lets users in: it could not be tried before they come`,
        fix: 'Take the dependency out of your override, or ask the vendor to declare the service under traffic.',
      };
    const published = manifests.some(({ writers }) => writers.includes(service)) && ports.length > 0;
    return published
      ? {
          code: 'TRAFFIC_PORT',
          text: `${service} writes and publishes a port itself: users could come in before the upgrade is known to be good`,
          fix: 'Take the port out of your override, or ask the vendor to declare the service under traffic.',
        }
      : [];
  });
}
