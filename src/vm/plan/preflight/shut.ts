import type { Finding } from '../../../policy/finding.ts';
import type { Context } from '../context.ts';

/**
 * Checks that no service lets users in before the release is good: compose starts the dependencies of a service, and a writer may
 * publish a port.
 */
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
        text: `${service} depends on ${opens.join(', ')}, which lets users in: the release cannot be tested without users`,
        fix: 'Remove the dependency from your override, or ask the vendor to declare the service under traffic.',
      };
    const published = manifests.some(({ writers }) => writers.includes(service)) && ports.length > 0;
    return published
      ? {
          code: 'TRAFFIC_PORT',
          text: `${service} writes to the database and publishes a port: users could come in before the release is good`,
          fix: 'Remove the port from your override, or ask the vendor to declare the service under traffic.',
        }
      : [];
  });
}
